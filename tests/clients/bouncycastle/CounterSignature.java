// Signs a file's content by BouncyCastle, and counter-signs the signature, and the counter-signature.
//
//   java -cp bcprov.jar:bcpkix.jar:bcutil.jar CounterSignature.java CONTENT OUTPUT NAME NAME NAME
//
// NAME.pem and NAME.key (PKCS #8 in PEM) are the signer's, the counter-signer's, and those of who signs over that.

import java.io.FileReader;
import java.nio.file.Files;
import java.nio.file.Path;

import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.SignerInformationStore;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;

public class CounterSignature {
    private static final BouncyCastleProvider PROVIDER = new BouncyCastleProvider();

    public static void main(String[] arguments) throws Exception {
        byte[] content = Files.readAllBytes(Path.of(arguments[0]));
        CMSSignedDataGenerator generator = signer(arguments[2]);
        for (int at = 3; at < arguments.length; at++) {
            generator.addCertificate(certificate(arguments[at]));
        }
        CMSSignedData message = generator.generate(new CMSProcessableByteArray(content), true);
        SignerInformation signer = message.getSignerInfos().getSigners().iterator().next();
        SignerInformation counter = over(signer, arguments[3]);
        counter = SignerInformation.addCounterSigners(counter, new SignerInformationStore(over(counter, arguments[4])));
        signer = SignerInformation.addCounterSigners(signer, new SignerInformationStore(counter));
        message = CMSSignedData.replaceSigners(message, new SignerInformationStore(signer));
        Files.write(Path.of(arguments[1]), message.getEncoded());
    }

    private static SignerInformation over(SignerInformation signer, String name) throws Exception {
        return signer(name).generateCounterSigners(signer).getSigners().iterator().next();
    }

    private static CMSSignedDataGenerator signer(String name) throws Exception {
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        X509CertificateHolder certificate = certificate(name);
        try (PEMParser pem = new PEMParser(new FileReader(name + ".key"))) {
            var key = new JcaPEMKeyConverter().setProvider(PROVIDER).getPrivateKey((PrivateKeyInfo) pem.readObject());
            String algorithm = key.getAlgorithm().equals("RSA") ? "SHA256withRSA" : "SHA256withECDSA";
            var builder = new JcaSimpleSignerInfoGeneratorBuilder().setProvider(PROVIDER);
            generator.addSignerInfoGenerator(builder.build(algorithm, key, certificate));
        }
        generator.addCertificate(certificate);
        return generator;
    }

    private static X509CertificateHolder certificate(String name) throws Exception {
        try (PEMParser pem = new PEMParser(new FileReader(name + ".pem"))) {
            return (X509CertificateHolder) pem.readObject();
        }
    }
}
