// Makes signed messages and timestamps by BouncyCastle, for others to verify.
//
//   java -cp bcprov.jar:bcpkix.jar:bcutil.jar SignedMessages.java DIRECTORY
//
// DIRECTORY holds `content`, NAME.pem and NAME.key (PKCS #8, PEM) of the signers p256, rsa, ed25519, ed448 and notary and of the
// units tsu and archivist, intermediate.pem and intermediate.crl (DER). What is made is written there as bc-*.

import java.io.StringReader;
import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.Hashtable;
import java.util.List;

import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.cms.CMSAttributes;
import org.bouncycastle.asn1.cms.SignerInfo;
import org.bouncycastle.asn1.cms.Time;
import org.bouncycastle.asn1.ess.ESSCertIDv2;
import org.bouncycastle.asn1.ess.SigningCertificateV2;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.DefaultSignedAttributeTableGenerator;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.SignerInformationStore;
import org.bouncycastle.cms.SimpleAttributeTableGenerator;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.TSPAlgorithms;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponseGenerator;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.TimeStampTokenGenerator;
import org.bouncycastle.util.CollectionStore;

public class SignedMessages {
    private static final BouncyCastleProvider PROVIDER = new BouncyCastleProvider();
    /** id-aa-ets-archiveTimestampV3 and id-aa-ATSHashIndex-v3 (EN 319 122-1 §5.5.3, §5.5.2). */
    private static final ASN1ObjectIdentifier ARCHIVE_TIMESTAMP_V3 = new ASN1ObjectIdentifier("0.4.0.1733.2.4");
    private static final ASN1ObjectIdentifier HASH_INDEX_V3 = new ASN1ObjectIdentifier("0.4.0.19122.1.5");
    private static final Date SIGNED = Date.from(Instant.parse("2025-05-01T00:00:00Z"));
    private static final Date STAMPED = Date.from(Instant.parse("2025-05-01T00:01:00Z"));
    private static final Date ARCHIVED = Date.from(Instant.parse("2025-05-02T00:00:00Z"));

    private static Path directory;
    private static byte[] content;
    private static long serial = 1;

    private record Party(X509CertificateHolder certificate, PrivateKey key, String algorithm) {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 1) {
            System.err.println("usage: SignedMessages DIRECTORY");
            System.exit(2);
        }
        directory = Path.of(arguments[0]);
        content = Files.readAllBytes(directory.resolve("content"));
        Party p256 = party("p256", "SHA256withECDSA");

        write("attached.p7m", signed(true, true, p256).getEncoded());
        write("detached.p7s", signed(false, true, p256).getEncoded());
        write("der.p7m", signed(true, true, p256).toASN1Structure().getEncoded(ASN1Encoding.DER));
        write("sha3.p7m", signed(true, true, party("p256", "SHA3-256withECDSA")).getEncoded());
        write("pss.p7m", signed(true, true, party("rsa", "SHA256withRSAandMGF1")).getEncoded());
        write("ed25519.p7m", signed(true, true, party("ed25519", "Ed25519")).getEncoded());
        write("ed448.p7m", signed(true, true, party("ed448", "Ed448")).getEncoded());
        write("direct.p7m", signed(true, false, p256).getEncoded());
        write("several.p7s",
            signed(false, true, p256, party("rsa", "SHA512withRSA"), party("ed25519", "Ed25519")).getEncoded());

        write("countersigned.p7m", countersigned(p256, party("notary", "SHA256withECDSA")).getEncoded());
        Party tsu = party("tsu", "SHA256withECDSA");
        CMSSignedData stamped = stamped(signed(false, true, p256), tsu);
        write("stamped.p7s", stamped.getEncoded());
        write("archived.p7s", archived(stamped, party("archivist", "SHA256withECDSA")).getEncoded());

        for (String[] one : new String[][] {{"SHA-256", "sha256"}, {"SHA-384", "sha384"}, {"SHA-512", "sha512"}}) {
            byte[] imprint = MessageDigest.getInstance(one[0]).digest(content);
            ASN1ObjectIdentifier digest = one[1].equals("sha256") ? TSPAlgorithms.SHA256
                : one[1].equals("sha384") ? TSPAlgorithms.SHA384 : TSPAlgorithms.SHA512;
            write(one[1] + ".tst", token(tsu, digest, imprint, STAMPED, null).getEncoded());
        }
        byte[] imprint = MessageDigest.getInstance("SHA-256").digest(content);
        write("response.tsr", response(party("tsu-rsa", "SHA256withRSA"), imprint));
    }

    private static void write(String name, byte[] octets) throws Exception {
        Files.write(directory.resolve("bc-" + name), octets);
    }

    private static Party party(String name, String algorithm) throws Exception {
        PrivateKeyInfo key = (PrivateKeyInfo) pem(name + ".key");
        return new Party(certificate(name), new JcaPEMKeyConverter().setProvider(PROVIDER).getPrivateKey(key), algorithm);
    }

    private static X509CertificateHolder certificate(String name) throws Exception {
        return (X509CertificateHolder) pem(name + ".pem");
    }

    private static Object pem(String name) throws Exception {
        try (PEMParser parser = new PEMParser(new StringReader(Files.readString(directory.resolve(name))))) {
            return parser.readObject();
        }
    }

    private static byte[] sha256(byte[]... parts) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (byte[] part : parts) {
            digest.update(part);
        }
        return digest.digest();
    }

    /** A signer as CAdES wants it: with signing-certificate-v2, at a time that does not depend on the clock. */
    private static SignerInfoGenerator generator(Party party, boolean attributes) throws Exception {
        Hashtable<ASN1ObjectIdentifier, Attribute> table = new Hashtable<>();
        SigningCertificateV2 bound =
            new SigningCertificateV2(new ESSCertIDv2[] {new ESSCertIDv2(sha256(party.certificate.getEncoded()))});
        Attribute binding = new Attribute(PKCSObjectIdentifiers.id_aa_signingCertificateV2, new DERSet(bound));
        table.put(PKCSObjectIdentifiers.id_aa_signingCertificateV2, binding);
        table.put(CMSAttributes.signingTime, new Attribute(CMSAttributes.signingTime, new DERSet(new Time(SIGNED))));
        JcaSignerInfoGeneratorBuilder builder = new JcaSignerInfoGeneratorBuilder(
            new JcaDigestCalculatorProviderBuilder().setProvider(PROVIDER).build());
        builder.setSignedAttributeGenerator(new DefaultSignedAttributeTableGenerator(new AttributeTable(table)));
        builder.setDirectSignature(!attributes);
        return builder.build(
            new JcaContentSignerBuilder(party.algorithm).setProvider(PROVIDER).build(party.key), party.certificate);
    }

    private static CMSSignedData signed(boolean attached, boolean attributes, Party... parties) throws Exception {
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        for (Party party : parties) {
            generator.addSignerInfoGenerator(generator(party, attributes));
            generator.addCertificate(party.certificate);
        }
        generator.addCertificate(certificate("intermediate"));
        return generator.generate(new CMSProcessableByteArray(content), attached);
    }

    private static CMSSignedData countersigned(Party party, Party notary) throws Exception {
        CMSSignedData data = signed(true, true, party);
        SignerInformation signer = data.getSignerInfos().iterator().next();
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(generator(notary, true));
        SignerInformation countersigned =
            SignerInformation.addCounterSigners(signer, generator.generateCounterSigners(signer));
        List<X509CertificateHolder> all =
            List.of(party.certificate, notary.certificate, certificate("intermediate"));
        CMSSignedData replaced = CMSSignedData.replaceSigners(data, new SignerInformationStore(countersigned));
        return CMSSignedData.replaceCertificatesAndCRLs(
            replaced, new CollectionStore<>(all), replaced.getAttributeCertificates(), replaced.getCRLs());
    }

    private static TimeStampToken token(
            Party unit, ASN1ObjectIdentifier digest, byte[] imprint, Date time, AttributeTable unsigned)
            throws Exception {
        JcaSimpleSignerInfoGeneratorBuilder builder =
            new JcaSimpleSignerInfoGeneratorBuilder().setProvider(PROVIDER);
        builder.setSignedAttributeGenerator(new DefaultSignedAttributeTableGenerator());
        if (unsigned != null) {
            builder.setUnsignedAttributeGenerator(new SimpleAttributeTableGenerator(unsigned));
        }
        TimeStampTokenGenerator generator = new TimeStampTokenGenerator(
            builder.build(unit.algorithm, unit.key, unit.certificate),
            new JcaDigestCalculatorProviderBuilder().setProvider(PROVIDER).build().get(
                new AlgorithmIdentifier(NISTObjectIdentifiers.id_sha256)),
            new ASN1ObjectIdentifier("1.2.3.4"));
        generator.setAccuracySeconds(1);
        List<X509CertificateHolder> sent = new ArrayList<>(List.of(unit.certificate));
        if (unit.certificate.getIssuer().equals(certificate("intermediate").getSubject())) {
            sent.add(certificate("intermediate"));
        }
        generator.addCertificates(new CollectionStore<>(sent));
        TimeStampRequestGenerator request = new TimeStampRequestGenerator();
        request.setCertReq(true);
        return generator.generate(request.generate(digest, imprint, BigInteger.TEN), BigInteger.valueOf(serial++), time);
    }

    private static byte[] response(Party unit, byte[] imprint) throws Exception {
        TimeStampTokenGenerator generator = new TimeStampTokenGenerator(
            new JcaSimpleSignerInfoGeneratorBuilder().setProvider(PROVIDER).build(
                unit.algorithm, unit.key, unit.certificate),
            new JcaDigestCalculatorProviderBuilder().setProvider(PROVIDER).build().get(
                new AlgorithmIdentifier(NISTObjectIdentifiers.id_sha256)),
            new ASN1ObjectIdentifier("1.2.3.4"));
        generator.addCertificates(new CollectionStore<>(List.of(unit.certificate, certificate("intermediate"))));
        TimeStampRequestGenerator asking = new TimeStampRequestGenerator();
        asking.setCertReq(true);
        TimeStampRequest request = asking.generate(TSPAlgorithms.SHA256, imprint, BigInteger.TWO);
        TimeStampResponseGenerator responses = new TimeStampResponseGenerator(generator, TSPAlgorithms.ALLOWED);
        return responses.generateGrantedResponse(request, BigInteger.valueOf(serial++), STAMPED).getEncoded();
    }

    /** The one signer of a message, with one more unsigned attribute. */
    private static CMSSignedData with(CMSSignedData data, ASN1ObjectIdentifier type, ASN1Encodable value) {
        SignerInformation signer = data.getSignerInfos().iterator().next();
        AttributeTable before = signer.getUnsignedAttributes();
        AttributeTable after = before == null
            ? new AttributeTable(new DERSet(new Attribute(type, new DERSet(value)))) : before.add(type, value);
        SignerInformation replaced = SignerInformation.replaceUnsignedAttributes(signer, after);
        return CMSSignedData.replaceSigners(data, new SignerInformationStore(replaced));
    }

    private static ASN1Primitive primitive(byte[] der) throws Exception {
        return ASN1Primitive.fromByteArray(der);
    }

    /** CAdES-T: a signature timestamp. */
    private static CMSSignedData stamped(CMSSignedData data, Party unit) throws Exception {
        byte[] signature = data.getSignerInfos().iterator().next().getSignature();
        TimeStampToken token = token(unit, TSPAlgorithms.SHA256, sha256(signature), STAMPED, null);
        return with(data, PKCSObjectIdentifiers.id_aa_signatureTimeStampToken, primitive(token.getEncoded()));
    }

    /**
     * CAdES-LTA: the CRL of the signer's issuer, and an archive timestamp of version 3 over all that is there. BouncyCastle has
     * no generator for those: the index and the imprint are put together here, from its parts, by EN 319 122-1 §5.5.
     */
    private static CMSSignedData archived(CMSSignedData stamped, Party unit) throws Exception {
        X509CRLHolder crl = new X509CRLHolder(Files.readAllBytes(directory.resolve("intermediate.crl")));
        CMSSignedData data = CMSSignedData.replaceCertificatesAndCRLs(stamped, stamped.getCertificates(),
            stamped.getAttributeCertificates(), new CollectionStore<>(List.of(crl)));

        ASN1EncodableVector certificates = new ASN1EncodableVector();
        for (Object holder : data.getCertificates().getMatches(null)) {
            certificates.add(new DEROctetString(sha256(((X509CertificateHolder) holder).getEncoded())));
        }
        ASN1EncodableVector crls = new ASN1EncodableVector();
        crls.add(new DEROctetString(sha256(crl.getEncoded())));
        SignerInfo signer = data.getSignerInfos().iterator().next().toASN1Structure();
        ASN1EncodableVector attributes = new ASN1EncodableVector();
        for (ASN1Encodable one : signer.getUnauthenticatedAttributes()) {
            Attribute attribute = Attribute.getInstance(one);
            for (ASN1Encodable value : attribute.getAttrValues()) {
                attributes.add(new DEROctetString(sha256(der(attribute.getAttrType()), der(value))));
            }
        }
        DERSequence index = new DERSequence(new ASN1Encodable[] {
            new AlgorithmIdentifier(NISTObjectIdentifiers.id_sha256), new DERSequence(certificates), new DERSequence(crls),
            new DERSequence(attributes)});

        ByteArrayOutputStream fields = new ByteArrayOutputStream();
        fields.write(der(signer.getVersion()));
        fields.write(der(signer.getSID()));
        fields.write(der(signer.getDigestAlgorithm()));
        byte[] signedAttributes = der(DERSet.getInstance(signer.getAuthenticatedAttributes()));
        signedAttributes[0] = (byte) 0xa0;
        fields.write(signedAttributes);
        fields.write(der(signer.getDigestEncryptionAlgorithm()));
        fields.write(der(signer.getEncryptedDigest()));
        byte[] imprint = sha256(
            der(PKCSObjectIdentifiers.data), sha256(content), fields.toByteArray(), der(index));
        AttributeTable unsigned = new AttributeTable(new DERSet(new Attribute(HASH_INDEX_V3, new DERSet(index))));
        TimeStampToken token = token(unit, TSPAlgorithms.SHA256, imprint, ARCHIVED, unsigned);
        return with(data, ARCHIVE_TIMESTAMP_V3, primitive(token.getEncoded()));
    }

    private static byte[] der(ASN1Encodable value) throws Exception {
        return value.toASN1Primitive().getEncoded(ASN1Encoding.DER);
    }
}
