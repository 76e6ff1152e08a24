// Asks a timestamping server by BouncyCastle and verifies what it answers by BouncyCastle and the JDK.
//
//   java -cp bcprov.jar:bcpkix.jar:bcutil.jar TimestampClient.java URL ROOT.pem [POLICY]
//
// Exit status 0 and the token's particulars on standard output, or 1 and the reason on standard error.

import java.io.InputStream;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tsp.TSPAlgorithms;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampToken;

public class TimestampClient {
    /** A chain longer than this is a loop or a mistake. */
    private static final int CHAIN_LIMIT = 8;

    public static void main(String[] arguments) {
        if (arguments.length < 2 || arguments.length > 3) {
            System.err.println("usage: TimestampClient URL ROOT.pem [POLICY]");
            System.exit(2);
        }
        try {
            String policy = arguments.length == 3 ? arguments[2] : null;
            run(URI.create(arguments[0]), Path.of(arguments[1]), policy);
        } catch (Exception failure) {
            System.err.println("bouncycastle: " + failure);
            System.exit(1);
        }
    }

    private static void run(URI url, Path rootPath, String policy) throws Exception {
        byte[] imprint = MessageDigest.getInstance("SHA-256").digest("a message of BouncyCastle's".getBytes("UTF-8"));
        BigInteger nonce = new BigInteger(64, new SecureRandom());
        TimeStampRequestGenerator generator = new TimeStampRequestGenerator();
        generator.setCertReq(true);
        if (policy != null) {
            generator.setReqPolicy(new ASN1ObjectIdentifier(policy));
        }
        TimeStampRequest request = generator.generate(TSPAlgorithms.SHA256, imprint, nonce);

        TimeStampResponse response = new TimeStampResponse(post(url, request.getEncoded()));
        response.validate(request);
        TimeStampToken token = response.getTimeStampToken();
        if (token == null) {
            throw new Exception("refused: status " + response.getStatus() + ", " + response.getStatusString());
        }

        @SuppressWarnings("unchecked")
        Collection<X509CertificateHolder> holders = token.getCertificates().getMatches(null);
        List<X509Certificate> certificates = new ArrayList<>();
        X509Certificate signer = null;
        for (X509CertificateHolder holder : holders) {
            X509Certificate certificate = new JcaX509CertificateConverter().getCertificate(holder);
            certificates.add(certificate);
            if (token.getSID().match(holder)) {
                signer = certificate;
            }
        }
        if (signer == null) {
            throw new Exception("the token does not carry its signer's certificate");
        }
        // Also holds the certificate against the signing-certificate attribute, its purpose and the token's time.
        token.validate(
            new JcaSimpleSignerInfoVerifierBuilder().setProvider(new BouncyCastleProvider()).build(signer));

        checkChain(signer, certificates, readRoot(rootPath), token);
        System.out.println("bouncycastle: " + token.getTimeStampInfo().getGenTime().toInstant()
            + " serial " + token.getTimeStampInfo().getSerialNumber().toString(16)
            + " by " + signer.getSubjectX500Principal());
    }

    private static byte[] post(URI url, byte[] body) throws Exception {
        HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
        HttpRequest request = HttpRequest.newBuilder(url)
            .timeout(Duration.ofSeconds(20))
            .header("Content-Type", "application/timestamp-query")
            .POST(HttpRequest.BodyPublishers.ofByteArray(body))
            .build();
        HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
        String type = response.headers().firstValue("Content-Type").orElse("none");
        if (response.statusCode() != 200 || !type.equals("application/timestamp-reply")) {
            throw new Exception("HTTP " + response.statusCode() + " with content type " + type);
        }
        return response.body();
    }

    private static X509Certificate readRoot(Path path) throws Exception {
        try (InputStream in = Files.newInputStream(path)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    /** Goes from the signer to the root by names, through the token's certificates, and has the JDK judge the path. */
    private static void checkChain(
            X509Certificate signer, List<X509Certificate> certificates, X509Certificate root, TimeStampToken token)
            throws Exception {
        List<X509Certificate> path = new ArrayList<>();
        X509Certificate at = signer;
        while (!at.equals(root)) {
            path.add(at);
            if (path.size() > CHAIN_LIMIT) {
                throw new Exception("no chain to the root within " + CHAIN_LIMIT + " certificates");
            }
            X509Certificate child = at;
            if (child.getIssuerX500Principal().equals(root.getSubjectX500Principal())) {
                break;
            }
            at = certificates.stream()
                .filter(other -> other.getSubjectX500Principal().equals(child.getIssuerX500Principal()))
                .findFirst()
                .orElseThrow(() -> new Exception("the token lacks " + child.getIssuerX500Principal()));
        }
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        // Whether a certificate was revoked is another test's matter.
        parameters.setRevocationEnabled(false);
        parameters.setDate(token.getTimeStampInfo().getGenTime());
        CertPathValidator.getInstance("PKIX")
            .validate(CertificateFactory.getInstance("X.509").generateCertPath(path), parameters);
    }
}
