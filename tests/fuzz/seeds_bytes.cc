// Seeds of the targets of parsers.
#include "absl/strings/str_cat.h"
#include "common/age/stream.h"
#include "common/crypto/authority.h"
#include "common/crypto/certificate.h"
#include "common/crypto/csr.h"
#include "common/crypto/digest.h"
#include "mc-service/backup/manifest.h"
#include "mc-service/backup/tar.h"
#include "tests/fuzz/names.h"
#include "tests/fuzz/seeds.h"

namespace mc::fuzz {
namespace {

// A frame of HTTP/2 (RFC 9113, 4.1), on stream 1.
std::string Http2Frame(uint8_t type, uint8_t flags, std::string_view payload) {
  std::string frame;
  for (const int shift : {16, 8, 0}) {
    frame += static_cast<char>((payload.size() >> shift) & 0xff);
  }
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  return frame.append(std::string("\0\0\0\1", 4)).append(payload);
}

std::string Archive(std::string manifest, const std::string& store) {
  using service::TarHeader;
  using service::TarPadding;
  const absl::Time time = absl::FromUnixSeconds(kHour);
  std::string archive = *TarHeader(
      {service::kManifestName, static_cast<int64_t>(manifest.size()), time});
  archive += manifest + TarPadding(static_cast<int64_t>(manifest.size()));
  archive += *TarHeader(
      {service::kStoreName, static_cast<int64_t>(store.size()), time});
  archive += store + TarPadding(static_cast<int64_t>(store.size()));
  return archive + service::TarEnd();
}

}  // namespace

void PutEdge(Corpus& corpus) {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  const std::string v4 = signature + std::string("\x21\x11\0\x0c", 4) +
                         std::string("\xc0\0\2\1\xc0\0\2\2\x13\x88\1\xbb", 12);
  corpus.Put("edge", "proxy_v4", "A" + v4 + "\x16\3\1");
  corpus.Put("edge", "proxy_v6",
             "A" + signature + std::string("\x21\x21\0\x29", 4) +
                 std::string(16, '\x20') + std::string(16, '\x30') +
                 std::string("\x13\x88\1\xbb\4\0\2ab", 9));
  corpus.Put("edge", "proxy_local",
             "A" + signature + std::string("\x20\0\0\0", 4));
  corpus.Put("edge", "client_hello",
             "B" + std::string("\x16\3\1\0\x08\1\0\0\4abcd", 13));
  const std::string fields =
      std::string("\x83\x86\x44\x04/a/b\x40\x02te\x08trailers", 21) +
      std::string("\x10\x01k\x01v\x00\x01n\x81\x0f", 10);
  std::string frames = Http2Frame(4, 0, std::string("\0\3\0\0\0\x64", 6));
  frames += Http2Frame(8, 0, std::string("\0\0\xff\xff", 4));
  frames += Http2Frame(1, 4, fields);
  frames += Http2Frame(0, 1, std::string("\0\0\0\0\2ab", 7));
  frames += Http2Frame(6, 0, "12345678");
  corpus.Put("edge", "frames", "C" + frames);
  const std::string sizes = "\x3f\xe1\x1f";
  corpus.Put("edge", "frames_continued",
             "C" + Http2Frame(1, 0, sizes + fields.substr(0, 7)) +
                 Http2Frame(9, 0, fields.substr(7, 3)) +
                 Http2Frame(9, 4, fields.substr(10)));
  corpus.Put("edge", "frames_priority",
             "C" + Http2Frame(1, 0x25, "12345" + fields) +
                 Http2Frame(3, 0, std::string(4, '\0')));
  corpus.Put("edge", "header_block", "D" + sizes + fields);
  corpus.Put("edge", "header_block_number",
             "D" + std::string("\x7f\x80\x80\x80\x80\x01\x01v", 8));
  corpus.Put("edge", "header_block_fatal",
             "D" + std::string("\x40\x13grpclb_client_stats\x01x", 23));
  corpus.Put("edge", "headers",
             "E@te:trailers\n#aaaa\nFname:v\nDx:y\nA" + std::string(200, 'n') +
                 ":" + std::string(300, 'v'));
  corpus.Put("edge", "headers_fatal", "E@grpclb_client_stats:x");
  int count = 0;
  for (const char* text : {"192.0.2.0/24", "2001:db8::/32", "::ffff:192.0.2.1",
                           "2001:db8::1", "192.0.2.1/33"}) {
    corpus.Put("edge", absl::StrCat("network_", count++),
               absl::StrCat("F", text));
  }
  count = 0;
  for (const char* text : {"ipv4:192.0.2.1:5000", "ipv6:%5B2001:db8::1%5D:5000",
                           "ipv6:[fe80::1%eth0]:1", "unix:/run/front.sock"}) {
    corpus.Put("edge", absl::StrCat("peer_", count++), absl::StrCat("G", text));
  }
  count = 0;
  for (const char* text :
       {"/missioncontrol.v1.ClusterService/CheckLicense",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "//missioncontrol.v1.FleetService/CreateAccount"}) {
    corpus.Put("edge", absl::StrCat("method_", count++),
               absl::StrCat("H", text));
  }
  const PrivateKey key = *PrivateKey::FromPem(kClusterKey);
  corpus.Put("edge", "certificate",
             "I" + *CertificateDerToPem(CertificateOf(key)));
}

void PutHttp(Corpus& corpus) {
  constexpr char kGet[] = " HTTP/1.1\r\nHost: a\r\n";
  corpus.Put("http", "metrics_readyz",
             absl::StrCat("CGET /readyz", kGet, "\r\n"));
  corpus.Put("http", "metrics_metrics",
             absl::StrCat("CGET /metrics?x=%41&y", kGet,
                          "Accept-Encoding: gzip\r\nRange: bytes=0-1,3-\r\n"
                          "\r\n"));
  corpus.Put("http", "metrics_ranges",
             absl::StrCat("CGET /healthz", kGet, "Range: bytes=0-1",
                          std::string(1000, '-'), "\r\n\r\n"));
  corpus.Put("http", "metrics_post",
             absl::StrCat("CPOST /metrics", kGet,
                          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
                          "0\r\n\r\n"));
  corpus.Put("http", "metrics_form",
             absl::StrCat("CPUT /", kGet,
                          "Content-Length: 40\r\n"
                          "Content-Type: multipart/form-data; boundary=b\r\n"
                          "\r\n--b\r\nContent-Disposition: form-data; "
                          "name=\"a\"\r\n\r\nv\r\n--b--\r\n"));
  corpus.Put("http", "metrics_two",
             absl::StrCat("CHEAD /healthz", kGet,
                          "Expect: 100-continue\r\n"
                          "Connection: keep-alive\r\n\r\nGET /readyz",
                          kGet, "\r\n"));
  constexpr char kLease[] =
      R"({"kind":"Lease","metadata":{"resourceVersion":"7"},)"
      R"("spec":{"holderIdentity":"somebody","leaseDurationSeconds":15}})";
  corpus.Put("http", "api_lease",
             absl::StrCat("DHTTP/1.1 200 OK\r\nContent-Type: application/json"
                          "\r\nContent-Length: ",
                          sizeof(kLease) - 1, "\r\n\r\n", kLease));
  corpus.Put("http", "api_chunked",
             absl::StrCat("DHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                          "\r\n\r\n",
                          absl::Hex(sizeof(kLease) - 1), "\r\n", kLease,
                          "\r\n0\r\n\r\n"));
  corpus.Put("http", "api_until_end",
             absl::StrCat("DHTTP/1.1 200\r\n\r\n", kLease));
  corpus.Put("http", "api_forbidden",
             "DHTTP/1.1 403 Forbidden\r\nContent-Length: 17\r\n\r\n"
             R"({"message":"no!"})");
  corpus.Put("http", "api_elsewhere",
             "DHTTP/1.1 307 Moved\r\nLocation: https://example.com/\r\n"
             "Content-Length: 0\r\n\r\n");
}

void PutCrypto(Corpus& corpus) {
  const PrivateKey key = PrivateKey::GenerateP256();
  corpus.Put("crypto", "csr", "A" + BuildCsrDer(key));
  const std::string issued = CertificateOf(key);
  const std::string pem = *CertificateDerToPem(issued);
  const auto authority = CertificateAuthority::Create(
      "Seed", absl::FromUnixSeconds(kHour), absl::FromUnixSeconds(2 * kHour));
  corpus.Put("crypto", "certificate_der", "B" + issued);
  corpus.Put("crypto", "certificate_ca", "B" + authority->cert_der());
  corpus.Put("crypto", "certificate_pem", "C" + pem + authority->cert_pem());
  corpus.Put("crypto", "identity", "D" + pem);
  corpus.Put("crypto", "private_key", "E" + key.ToPem());
}

void PutFiles(Corpus& corpus) {
  const std::string store = "the store";
  const service::Manifest manifest = {
      .created_at = "2026-11-21T10:00:00Z",
      .program_version = "1.0.0",
      .trust_domain = "example.com",
      .service_epoch = 12,
      .schema_version = 6,
      .files = {{service::kStoreName, static_cast<int64_t>(store.size()),
                 Hex(Sha256(store))}},
      .not_included = {"/etc/tls.pem"}};
  const std::string json = service::ToJson(manifest);
  const std::string archive = Archive(json, store);
  corpus.Put("files", "tar", "A" + archive.substr(0, service::kTarBlock));
  corpus.Put("files", "tar_large",
             "A" + *service::TarHeader({"large", int64_t{1} << 40,
                                        absl::FromUnixSeconds(kHour)}));
  corpus.Put("files", "manifest", "B" + json);
  corpus.Put("files", "backup", "D" + archive);
  const auto recipient = age::Identity::Parse(kAgeKey);
  std::string encrypted;
  const auto encryptor = age::Encryptor::Start(recipient->recipient(),
                                               [&](std::string_view bytes) {
                                                 encrypted.append(bytes);
                                                 return absl::OkStatus();
                                               });
  if (!(*encryptor)->Write(store).ok() || !(*encryptor)->Finish().ok()) return;
  corpus.Put("files", "age", "C" + encrypted);
}

}  // namespace mc::fuzz
