// Cedar's methods, on cells.
#include "policy/extension.h"
#include "policy/machine.h"

#include <algorithm>

namespace entente::policy {
namespace {

using Kind = Value::Kind;

Cell number(int64_t value) {
  return Cell::scalar(Kind::integer, value);
}

Cell decimal_order(Method method, int64_t left, int64_t right) {
  if (method == Method::less_than) return Cell::of(left < right);
  if (method == Method::less_than_or_equal) return Cell::of(left <= right);
  if (method == Method::greater_than) return Cell::of(left > right);
  return Cell::of(left >= right);
}

Cell duration_in(Method method, int64_t ms) {
  if (method == Method::to_milliseconds) return number(ms);
  if (method == Method::to_seconds) return number(ms / 1000);
  if (method == Method::to_minutes) return number(ms / 60'000);
  if (method == Method::to_hours) return number(ms / 3'600'000);
  return number(ms / 86'400'000);
}

}  // namespace

Cell Machine::call(const Code& code) {
  const uint32_t* const links = program_->links.data() + code.args[0];
  Cell values[2];
  for (uint32_t i = 0; i < code.args[1]; ++i) {
    const Cell value = eval(links[i]);
    if (value.failed()) return value;
    if (i < 2) values[i] = value;
  }
  if (code.args[1] != arguments_of(code.method)) return Cell::failure();
  switch (code.method) {
    case Method::contains:
    case Method::contains_all:
    case Method::contains_any:
    case Method::is_empty:
      return set_method(code, values[0], values[1]);
    case Method::get_tag:
    case Method::has_tag:
      return tag_method(code, values[0], values[1]);
    case Method::make_ip:
    case Method::make_decimal:
    case Method::make_datetime:
    case Method::make_duration:
      return make(code, values[0]);
    default:
      return extension_method(code, values[0], values[1]);
  }
}

Cell Machine::make(const Code& code, const Cell& text) {
  if (!text.is(Kind::string)) return Cell::failure();
  const std::string& from = text.text->text;
  if (code.method == Method::make_ip) {
    const auto ip = parse_ip(from);
    if (!ip) return Cell::failure();
    if (ips_used_ == ips_.size()) ips_.push_back(std::make_unique<IpNet>());
    IpNet& kept = *ips_[ips_used_++];
    kept = *ip;
    return Cell::of(kept);
  }
  if (code.method == Method::make_decimal) {
    const auto made = parse_decimal(from);
    return made ? Cell::scalar(Kind::decimal, made->ten_thousandths) : Cell::failure();
  }
  if (code.method == Method::make_datetime) {
    const auto made = parse_datetime(from);
    return made ? Cell::scalar(Kind::datetime, made->ms) : Cell::failure();
  }
  const auto made = parse_duration(from);
  return made ? Cell::scalar(Kind::duration, made->ms) : Cell::failure();
}

Cell Machine::set_method(const Code& code, const Cell& receiver, const Cell& argument) {
  if (!receiver.is(Kind::set)) return Cell::failure();
  if (code.method == Method::is_empty) return Cell::of(receiver.set->items.empty());
  if (holds_time(argument)) clock_bound_ = true;
  if (code.method == Method::contains) return Cell::of(contains(*receiver.set, argument));
  if (!argument.is(Kind::set)) return Cell::failure();
  const Value::Items& others = argument.set->items;
  const auto inside = [&](const Value& item) { return contains(*receiver.set, Cell::of(item)); };
  if (code.method == Method::contains_all) return Cell::of(std::all_of(others.begin(), others.end(), inside));
  return Cell::of(std::any_of(others.begin(), others.end(), inside));
}

Cell Machine::tag_method(const Code& code, const Cell& receiver, const Cell& argument) {
  if (!receiver.is(Kind::entity) || !argument.is(Kind::string)) return Cell::failure();
  const Entity* entity = find(*receiver.entity);
  const Value* tag = entity == nullptr ? nullptr : entity->tags.find(argument.text->text);
  if (code.method == Method::has_tag) return Cell::of(tag != nullptr);
  return tag == nullptr ? Cell::failure() : Cell::of(*tag);
}

Cell Machine::extension_method(const Code& code, const Cell& receiver, const Cell& argument) {
  switch (code.method) {
    case Method::less_than:
    case Method::less_than_or_equal:
    case Method::greater_than:
    case Method::greater_than_or_equal:
      if (!receiver.is(Kind::decimal) || !argument.is(Kind::decimal)) return Cell::failure();
      return decimal_order(code.method, receiver.number, argument.number);
    case Method::is_v4:
    case Method::is_v6:
    case Method::is_loopback:
    case Method::is_multicast:
    case Method::is_in_range:
      break;
    default:
      return time_method(code, receiver, argument);
  }
  if (!receiver.is(Kind::ip)) return Cell::failure();
  if (code.method == Method::is_v4) return Cell::of(!receiver.ip->v6);
  if (code.method == Method::is_v6) return Cell::of(receiver.ip->v6);
  if (code.method == Method::is_loopback) return Cell::of(is_loopback(*receiver.ip));
  if (code.method == Method::is_multicast) return Cell::of(is_multicast(*receiver.ip));
  return argument.is(Kind::ip) ? Cell::of(is_in_range(*receiver.ip, *argument.ip)) : Cell::failure();
}

Cell Machine::time_method(const Code& code, const Cell& receiver, const Cell& argument) {
  const bool on_instant = code.method == Method::offset || code.method == Method::duration_since ||
                          code.method == Method::to_date || code.method == Method::to_time;
  if (!on_instant)
    return receiver.is(Kind::duration) ? duration_in(code.method, receiver.number) : Cell::failure();
  clock_bound_ = true;
  if (!receiver.is(Kind::datetime)) return Cell::failure();
  const Datetime at{receiver.number};
  if (code.method == Method::to_time) return Cell::scalar(Kind::duration, time_of_day(at).ms);
  if (code.method == Method::to_date) {
    const auto day = day_of(at);
    return day ? Cell::scalar(Kind::datetime, day->ms) : Cell::failure();
  }
  const bool offset = code.method == Method::offset;
  if (!argument.is(offset ? Kind::duration : Kind::datetime)) return Cell::failure();
  int64_t out = 0;
  const bool over = offset ? __builtin_add_overflow(at.ms, argument.number, &out)
                           : __builtin_sub_overflow(at.ms, argument.number, &out);
  return over ? Cell::failure() : Cell::scalar(offset ? Kind::datetime : Kind::duration, out);
}

}  // namespace entente::policy
