// Versions of releases, and which of two is newer.
#ifndef MC_SERVICE_DOMAIN_UPDATES_VERSION_H_
#define MC_SERVICE_DOMAIN_UPDATES_VERSION_H_

#include <string_view>

namespace mc::service {

// Negative, 0 or positive as `a` is older than, as old as, or newer than `b`.
// A total order over any strings, by the rules of semver.org (section 11) for
// any number of components:
//
// * What follows the first '+' does not count.
// * The rest is numbers separated by dots, then, after the first '-' or '~',
//   a pre-release. Numbers of any length count by value; one that is missing
//   is 0, so 1.2 is as old as 1.2.0.
// * Of equal numbers the one with a pre-release is older; pre-releases are
//   compared dot by dot, a number is older than a word, and of two where one
//   continues the other the shorter one is older.
// * A word in place of a number is newer than any number: what was not
//   released under these rules (for instance "dev") is never overwritten.
int CompareVersions(std::string_view a, std::string_view b);

// What a release may be called: 1 to 64 characters; numbers separated by dots,
// then optionally '-' or '~' and a pre-release, '+' and a build, both of
// A-Z a-z 0-9 . _ -
bool IsReleaseVersion(std::string_view version);

}  // namespace mc::service

#endif  // MC_SERVICE_DOMAIN_UPDATES_VERSION_H_
