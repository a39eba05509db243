// Private to h2_session: field lists of HTTP/2 to heads and back, with the checks that keep a head that came
// over HTTP/2 from meaning something else when it goes on over HTTP/1.1 (RFC 9113 sections 8.2, 8.3
// and 10.3).
#pragma once

#include "base/result.h"
#include "net/http_message.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace entente::net {

inline constexpr size_t kFieldOverhead = 32;  // of each field, as RFC 9113 section 6.5.2 counts a list

// One header block on its way in. After the first fault everything else of it is ignored.
class H2HeadReader {
 public:
  H2HeadReader(size_t bytes_max, size_t fields_max, bool underscore_names)
      : bytes_max_(bytes_max), fields_max_(fields_max), underscore_names_(underscore_names) {}
  void begin();
  void add(std::string_view name, std::string_view value);
  void refuse(std::string what);  // a fault found elsewhere
  [[nodiscard]] bool refused() const { return fault_.has_value(); }
  [[nodiscard]] bool too_large() const { return too_large_; }  // and so refused
  [[nodiscard]] size_t bytes() const {
    return bytes_;
  }  // as RFC 9113 section 6.5.2 counts, also beyond the limit
  [[nodiscard]] Result<RequestHead> request();  // error "h2.head"
  [[nodiscard]] Result<ResponseHead> response();

 private:
  struct Pseudo {
    std::string method, scheme, authority, path, protocol, status;
    bool has_authority = false;
  };
  [[nodiscard]] std::string* pseudo_field(std::string_view name);
  [[nodiscard]] Result<Headers> take_fields();

  size_t bytes_max_;
  size_t fields_max_;
  bool underscore_names_;
  size_t bytes_ = 0;
  size_t fields_ = 0;
  Pseudo pseudo_;
  Headers headers_;
  std::string cookie_;  // crumbs joined (RFC 9113 section 8.2.3)
  bool has_cookie_ = false;
  bool too_large_ = false;
  std::optional<std::string> fault_;
};

struct H2Line {
  std::string name;        // lower case
  std::string_view value;  // of the head, or a constant
  bool secret = false;     // never indexed: its length can't be guessed through compression
};
// The field lines of a head, which must outlive them; pseudo fields first. Error "h2.head" for what HTTP/2
// can't carry or must not.
[[nodiscard]] Result<std::vector<H2Line>> h2_lines(const RequestHead& head);
[[nodiscard]] Result<std::vector<H2Line>> h2_lines(const ResponseHead& head);

}  // namespace entente::net
