import java.io.BufferedInputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.cert.CRLReason;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509CRLEntry;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Holds certificates against CRLs by the JDK's own path validation: CrlStatus ISSUER CRL[,CRL] LEAF..., certificates in PEM,
 * CRLs in DER. The issuer is the anchor; CRLs alone, none fetched. A line for each certificate: good,
 * revoked and the reason, or refused and why. Ends with 0 whatever it is, but for a CRL that can't be read.
 */
public final class CrlStatus {
    private CrlStatus() {
    }

    public static void main(String[] arguments) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate issuer = certificate(factory, arguments[0]);
        List<X509CRL> crls = new ArrayList<>();
        for (String file : arguments[1].split(",")) {
            try (InputStream in = new BufferedInputStream(new FileInputStream(file))) {
                crls.add((X509CRL) factory.generateCRL(in));
            }
        }
        CertStore store = CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls));
        for (int at = 2; at < arguments.length; at++) {
            System.out.println(status(factory, issuer, store, crls.get(0), certificate(factory, arguments[at])));
        }
    }

    private static String status(
            CertificateFactory factory, X509Certificate issuer, CertStore store, X509CRL complete, X509Certificate leaf)
            throws Exception {
        CertPath path = factory.generateCertPath(List.of(leaf));
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(issuer, null)));
        parameters.addCertStore(store);
        // Without a checker of one's own, neither OCSP nor a CRL's address is asked.
        parameters.setRevocationEnabled(true);
        try {
            validator.validate(path, parameters);
        } catch (CertPathValidatorException refused) {
            if (refused.getCause() instanceof CertificateRevokedException revoked) {
                return "revoked " + revoked.getRevocationReason();
            }
            return "refused " + refused.getReason() + ": " + refused.getMessage();
        }
        // The plain question must agree with the path's.
        X509CRLEntry entry = complete.getRevokedCertificate(leaf);
        boolean removed = entry != null && entry.getRevocationReason() == CRLReason.CERTIFICATE_HOLD;
        return entry == null || removed ? "good" : "refused: the path holds, and the CRL lists the certificate";
    }

    private static X509Certificate certificate(CertificateFactory factory, String file) throws Exception {
        try (InputStream in = new FileInputStream(file)) {
            return (X509Certificate) factory.generateCertificate(in);
        }
    }
}
