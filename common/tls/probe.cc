#include "common/tls/probe.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/crypto/certificate.h"
#include "common/crypto/key.h"
#include "common/crypto/openssl.h"

namespace mc {
namespace {

using openssl::Certificate;
using openssl::Must;

using Context = openssl::Owner<SSL_CTX, SSL_CTX_free>;
using Connection = openssl::Owner<SSL, SSL_free>;

// A handshake and the first frames are far smaller.
constexpr size_t kMaxReceivedBytes = 256 << 10;
// As a protocol name in ALPN's wire form (RFC 7301, 3.1).
constexpr unsigned char kH2[] = {2, 'h', '2'};
// The client's preface and an empty SETTINGS frame (RFC 9113, 3.4 and 6.5).
constexpr std::string_view kPreface(
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\0\0\0\4\0\0\0\0\0",
    33);
constexpr size_t kFrameHeaderBytes = 9;
constexpr char kSettingsFrame = 4;

std::string ErrorText(int error) {
  return error == ETIMEDOUT ? "no answer in time"
                            : std::generic_category().message(error);
}

// What OpenSSL finds wrong with the chain; it is all noted, and nothing ends.
struct Verification {
  bool trusted = true;
  bool dates_valid = true;
  std::string problem;
};

int NoteProblem(int good, X509_STORE_CTX* store) {
  if (good == 1) return 1;
  auto* connection = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* noted = static_cast<Verification*>(SSL_get_app_data(connection));
  const int error = X509_STORE_CTX_get_error(store);
  if (error == X509_V_ERR_CERT_HAS_EXPIRED ||
      error == X509_V_ERR_CERT_NOT_YET_VALID) {
    noted->dates_valid = false;
  } else {
    noted->trusted = false;
    if (noted->problem.empty()) {
      noted->problem = X509_verify_cert_error_string(error);
    }
  }
  return 1;
}

absl::Status AddRoots(const std::string& pem, SSL_CTX* context) {
  if (pem.empty()) return absl::OkStatus();
  const auto roots = CertificateChainPemToDer(pem);
  if (!roots.ok()) return roots.status();
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const std::string& der : *roots) {
    const auto root = openssl::CertificateFromDer(der);
    if (!root.ok()) return root.status();
    // The same one twice is an error in its queue only.
    X509_STORE_add_cert(store, root->get());
  }
  // As gRPC does: a CA that is no root is trusted, too, where it is given.
  X509_STORE_set_flags(store,
                       X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  ERR_clear_error();
  return absl::OkStatus();
}

absl::Status AddIdentity(const ProbeOptions& options, SSL_CTX* context) {
  if (options.cert_chain_pem.empty()) return absl::OkStatus();
  const absl::Status matches =
      CheckKeyMatchesCertificate(options.cert_chain_pem, options.key_pem);
  if (!matches.ok()) return matches;
  const auto chain = CertificateChainPemToDer(options.cert_chain_pem);
  if (!chain.ok()) return chain.status();
  const auto key = PrivateKey::FromPem(options.key_pem);
  if (!key.ok()) return key.status();
  for (size_t i = 0; i < chain->size(); ++i) {
    const auto certificate = openssl::CertificateFromDer((*chain)[i]);
    if (!certificate.ok()) return certificate.status();
    const auto added =
        i == 0 ? SSL_CTX_use_certificate(context, certificate->get())
               : SSL_CTX_add1_chain_cert(context, certificate->get());
    if (added != 1) return openssl::InvalidArgument("the client certificate");
  }
  if (SSL_CTX_use_PrivateKey(context, key->get()) != 1) {
    return openssl::InvalidArgument("the client certificate's key");
  }
  return absl::OkStatus();
}

// TLS over a socket, by memory: so the bytes are counted, every wait has its
// deadline, and a broken connection raises no signal.
class TlsConnection {
 public:
  TlsConnection(const ProbeOptions& options, const Socket& socket,
                const Deadline& deadline)
      : options_(options),
        name_(options.server_name.empty() ? options.host : options.server_name),
        socket_(socket),
        deadline_(deadline) {}

  absl::Status Prepare() {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    Must(context_ != nullptr);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, NoteProblem);
    SSL_CTX_set_cert_cb(context_.get(), OnRequest, this);
    Must(SSL_CTX_set_alpn_protos(context_.get(), kH2, sizeof(kH2)) == 0);
    absl::Status status = AddRoots(options_.root_pem, context_.get());
    if (status.ok()) status = AddIdentity(options_, context_.get());
    if (!status.ok()) return status;
    connection_.reset(SSL_new(context_.get()));
    Must(connection_ != nullptr);
    SSL_set_app_data(connection_.get(), &verification_);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(connection_.get()),
                               absl::ToTimeT(deadline_.clock().Now()));
    if (!IsNumericAddress(name_)) {
      Must(SSL_set_tlsext_host_name(connection_.get(), name_.c_str()) == 1);
    }
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());
    Must(in != nullptr && out != nullptr);
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(connection_.get(), in, out);
    return absl::OkStatus();
  }

  absl::Status Handshake() {
    return Do([this] { return SSL_connect(connection_.get()); });
  }

  absl::Status Write(std::string_view bytes) {
    return Do([&] {
      return SSL_write(connection_.get(), bytes.data(),
                       static_cast<int>(bytes.size()));
    });
  }

  // As many bytes as asked for.
  absl::StatusOr<std::string> Read(size_t size) {
    std::string bytes;
    while (bytes.size() < size) {
      char buffer[64];
      int count = 0;
      const absl::Status status = Do([&] {
        count = SSL_read(
            connection_.get(), buffer,
            static_cast<int>(std::min(sizeof(buffer), size - bytes.size())));
        return count;
      });
      if (!status.ok()) return status;
      bytes.append(buffer, count);
    }
    return bytes;
  }

  void Describe(ProbeResult& result) const {
    STACK_OF(X509)* chain = SSL_get_peer_cert_chain(connection_.get());
    for (int i = 0; i < sk_X509_num(chain); ++i) {
      result.chain_der.push_back(
          openssl::ToDer<i2d_X509>(sk_X509_value(chain, i)));
    }
    result.trusted = verification_.trusted && !result.chain_der.empty();
    result.dates_valid = verification_.dates_valid;
    result.trust_problem = verification_.problem;
    result.host_matches = HostMatches();
    result.tls_version = SSL_get_version(connection_.get());
    const unsigned char* alpn = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(connection_.get(), &alpn, &size);
    result.alpn.assign(reinterpret_cast<const char*>(alpn), size);
  }

  // Whether the server has shown a certificate.
  bool verified() const {
    return SSL_get0_peer_certificate(connection_.get()) != nullptr;
  }
  bool asked() const { return asked_; }
  const std::string& alert() const { return alert_; }

 private:
  bool HostMatches() const {
    X509* own = SSL_get0_peer_certificate(connection_.get());
    if (own == nullptr) return false;
    return (IsNumericAddress(name_)
                ? X509_check_ip_asc(own, name_.c_str(), 0)
                : X509_check_host(own, name_.data(), name_.size(), 0,
                                  nullptr)) == 1;
  }

  // The server's certificate has been looked at by then. Whoever it is not
  // meant for does not learn who asks.
  static int OnRequest(SSL* connection, void* object) {
    auto* const self = static_cast<TlsConnection*>(object);
    self->asked_ = true;
    if (!self->verification_.trusted || !self->verification_.dates_valid ||
        !self->HostMatches()) {
      SSL_certs_clear(connection);
    }
    return 1;
  }

  absl::Status Flush() {
    BIO* out = SSL_get_wbio(connection_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);  // NOLINT: OpenSSL's type
    if (size <= 0) return absl::OkStatus();
    const int error = socket_.Send(std::string_view(data, size), deadline_);
    BIO_reset(out);
    return error == 0 ? absl::OkStatus()
                      : absl::UnavailableError(ErrorText(error));
  }

  absl::Status Fill() {
    std::string bytes;
    const int error = socket_.Receive(bytes, deadline_);
    if (error != 0) return absl::UnavailableError(ErrorText(error));
    if (bytes.empty()) {
      return absl::UnavailableError("the other side closed the connection");
    }
    received_ += bytes.size();
    if (received_ > kMaxReceivedBytes) {
      return absl::ResourceExhaustedError("the other side sends too much");
    }
    Must(BIO_write(SSL_get_rbio(connection_.get()), bytes.data(),
                   static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size()));
    return absl::OkStatus();
  }

  template <typename Step>
  absl::Status Do(const Step& step) {
    while (true) {
      ERR_clear_error();
      const int done = step();
      const int error = SSL_get_error(connection_.get(), done);
      const absl::Status flushed = Flush();
      if (done > 0) return flushed;
      if (error == SSL_ERROR_WANT_READ) {
        if (!flushed.ok()) return flushed;
        const absl::Status filled = Fill();
        if (!filled.ok()) return filled;
        continue;
      }
      if (error == SSL_ERROR_ZERO_RETURN) {
        return absl::UnavailableError("the other side ended TLS");
      }
      return Explained();
    }
  }

  // An alert of the other side is an error with the reason 1000 plus its
  // number (SSL_AD_REASON_OFFSET).
  absl::Status Explained() {
    const unsigned long error = ERR_peek_error();  // NOLINT: OpenSSL's type
    const char* text = ERR_reason_error_string(error);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
        ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET) {
      alert_ = text == nullptr ? "unknown alert" : text;
    }
    ERR_clear_error();
    return absl::UnavailableError(text == nullptr ? "TLS failed" : text);
  }

  const ProbeOptions& options_;
  const std::string& name_;
  const Socket& socket_;
  const Deadline& deadline_;
  Verification verification_;
  bool asked_ = false;
  std::string alert_;
  size_t received_ = 0;
  Context context_;
  Connection connection_;
};

// Why none of the addresses answered.
absl::Status NotConnected(const std::string& host, int port,
                          const std::vector<DialedAddress>& addresses) {
  return absl::UnavailableError(absl::StrCat(
      HostPort(host, port), " cannot be reached: ",
      absl::StrJoin(addresses, ", ",
                    [](std::string* out, const DialedAddress& address) {
                      absl::StrAppend(out, address.address, " ",
                                      ErrorText(address.error));
                    })));
}

absl::Status Refused(const HttpProxy& proxy, const ProxyAnswer& answer) {
  const std::string name =
      absl::StrCat("the proxy at ", HostPort(proxy.host, proxy.port));
  if (answer.error != 0) {
    return absl::UnavailableError(absl::StrCat(
        name, " does not answer CONNECT: ", ErrorText(answer.error)));
  }
  if (answer.status == 0) {
    return absl::UnavailableError(
        absl::StrCat(name, " does not speak HTTP: it is no HTTP proxy"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat(name, " refuses: ", answer.status,
                   answer.reason.empty() ? "" : " ", answer.reason));
}

// Runs a step, and notes how long it took.
template <typename Step>
auto Timed(const Clock& clock, absl::Duration& time, const Step& step) {
  const absl::Duration begin = clock.SinceBoot();
  auto result = step();
  time = clock.SinceBoot() - begin;
  return result;
}

absl::Status Greet(TlsConnection& tls, ProbeResult& result) {
  // A server that refuses the client's certificate may be gone before all is
  // written; its alert came before that, and says why.
  const absl::Status written = tls.Write(kPreface);
  const absl::StatusOr<std::string> frame = tls.Read(kFrameHeaderBytes);
  if (!frame.ok()) {
    return tls.alert().empty() && !written.ok() ? written : frame.status();
  }
  result.greeted = (*frame)[3] == kSettingsFrame;
  return result.greeted ? absl::OkStatus()
                        : absl::UnavailableError("this is not HTTP/2");
}

absl::Status ProbeTls(const ProbeOptions& options, const Socket& socket,
                      const Deadline& deadline, ProbeResult& result) {
  const std::string name = HostPort(options.host, options.port);
  result.step = ProbeStep::kHandshake;
  TlsConnection tls(options, socket, deadline);
  absl::Status status = tls.Prepare();
  if (!status.ok()) return status;
  status = Timed(deadline.clock(), result.handshake_time,
                 [&] { return tls.Handshake(); });
  result.asked_for_client_certificate = tls.asked();
  result.alert = tls.alert();
  if (tls.verified()) tls.Describe(result);
  if (!status.ok()) {
    return absl::UnavailableError(absl::StrCat("the TLS handshake with ", name,
                                               " fails: ", status.message()));
  }
  result.step = ProbeStep::kGreeting;
  // To anybody else nothing is said.
  if (!result.trusted || !result.dates_valid || !result.host_matches) {
    return absl::OkStatus();
  }
  status = Greet(tls, result);
  result.alert = tls.alert();
  return status.ok() ? status
                     : absl::UnavailableError(absl::StrCat(
                           name, " does not begin HTTP/2: ", status.message()));
}

absl::Status Run(const ProbeOptions& options, const Deadline& deadline,
                 ProbeResult& result) {
  const Clock& clock = deadline.clock();
  const std::string& host =
      options.proxy.has_value() ? options.proxy->host : options.host;
  const int port =
      options.proxy.has_value() ? options.proxy->port : options.port;
  absl::StatusOr<std::vector<DialedAddress>> addresses = Timed(
      clock, result.resolve_time, [&] { return Resolve(host, deadline); });
  if (!addresses.ok()) return addresses.status();
  result.addresses = *std::move(addresses);
  result.step = ProbeStep::kConnect;
  const Socket socket = Timed(clock, result.connect_time, [&] {
    return Dial(result.addresses, port, deadline);
  });
  if (!socket.open()) return NotConnected(host, port, result.addresses);
  if (options.proxy.has_value()) {
    result.step = ProbeStep::kProxy;
    result.proxy = Timed(clock, result.proxy_time, [&] {
      return Connect(socket, *options.proxy, options.host, options.port,
                     deadline);
    });
    if (result.proxy->status / 100 != 2) {
      return Refused(*options.proxy, *result.proxy);
    }
  }
  return options.tls ? ProbeTls(options, socket, deadline, result)
                     : absl::OkStatus();
}

}  // namespace

ProbeResult Probe(const ProbeOptions& options, const Clock& clock) {
  const Deadline deadline(clock, options.timeout);
  ProbeResult result;
  result.status = Run(options, deadline, result);
  return result;
}

}  // namespace mc
