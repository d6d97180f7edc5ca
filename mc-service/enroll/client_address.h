// From where somebody calls who has no identity yet.
#ifndef MC_SERVICE_ENROLL_CLIENT_ADDRESS_H_
#define MC_SERVICE_ENROLL_CLIENT_ADDRESS_H_

#include <grpcpp/grpcpp.h>

#include <string>
#include <string_view>

namespace mc::service {

// Metadata in which the enrollment front tells the service its client's
// address. Whoever else sends it is not believed.
inline constexpr char kClientAddressKey[] = "mission-control-client-address";

// Of a peer as gRPC writes it ("ipv4:192.0.2.7:4711", "ipv6:%5B::1%5D:4711"):
// the address without its port. What is of another form stays as it is.
std::string AddressOf(std::string_view peer);

// Whom a limit of addresses is for: an IPv4 address, or the network of 64 bits
// of an IPv6 address, of which each customer has at least one.
std::string AddressGroup(std::string_view address);

// What the front says of its client. Only for calls that came over the front's
// socket, where nobody else gets in.
std::string AddressFromFront(const grpc::CallbackServerContext& context);

}  // namespace mc::service

#endif  // MC_SERVICE_ENROLL_CLIENT_ADDRESS_H_
