// Holds certificates against CRLs by BouncyCastle's path validation.
//
//   java -cp bcprov.jar:bcpkix.jar:bcutil.jar CrlStatus.java ISSUER.pem CRL.der[,DELTA.der] LEAF.pem...
//
// The issuer is the anchor; nothing is fetched. A line for each certificate: good, revoked and the reason, or refused and
// why. Exit status 1 where a CRL is unreadable or not signed by the issuer.

import java.io.BufferedInputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.jcajce.PKIXExtendedParameters;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;

public final class CrlStatus {
    private CrlStatus() {
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        X509Certificate issuer = certificate(factory, arguments[0]);
        List<X509CRLHolder> holders = new ArrayList<>();
        List<X509CRL> crls = new ArrayList<>();
        for (String file : arguments[1].split(",")) {
            try (InputStream in = new BufferedInputStream(Files.newInputStream(Path.of(file)))) {
                holders.add(new X509CRLHolder(in));
            }
            if (!holders.get(holders.size() - 1).isSignatureValid(
                    new JcaContentVerifierProviderBuilder().setProvider("BC").build(issuer))) {
                System.err.println("bouncycastle: the signature of " + file + " is not the issuer's");
                System.exit(1);
            }
            try (InputStream in = new BufferedInputStream(Files.newInputStream(Path.of(file)))) {
                crls.add((X509CRL) factory.generateCRL(in));
            }
        }
        CertStore store = CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls));
        for (int at = 2; at < arguments.length; at++) {
            X509Certificate leaf = certificate(factory, arguments[at]);
            String said = status(factory, issuer, store, crls.size() > 1, leaf);
            // The plain questions must agree with the path's, where no delta says more.
            boolean listed = crls.get(0).isRevoked(leaf);
            boolean held = holders.get(0).getRevokedCertificate(leaf.getSerialNumber()) != null;
            if (listed != held || crls.size() == 1 && listed && said.equals("good")) {
                said = "refused: path " + said + ", isRevoked " + listed + ", holder " + held;
            }
            System.out.println(said);
        }
    }

    private static String status(
            CertificateFactory factory, X509Certificate issuer, CertStore store, boolean deltas, X509Certificate leaf)
            throws Exception {
        CertPath path = factory.generateCertPath(List.of(leaf));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(issuer, null)));
        parameters.addCertStore(store);
        try {
            CertPathValidator.getInstance("PKIX", "BC").validate(path,
                new PKIXExtendedParameters.Builder(parameters).setUseDeltasEnabled(deltas).build());
            return "good";
        } catch (CertPathValidatorException refused) {
            Throwable cause = refused;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            String said = cause.getMessage();
            return said != null && said.startsWith("Certificate revocation after ") ? "revoked " + said : "refused: " + said;
        }
    }

    private static X509Certificate certificate(CertificateFactory factory, String file) throws Exception {
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            return (X509Certificate) factory.generateCertificate(in);
        }
    }
}
