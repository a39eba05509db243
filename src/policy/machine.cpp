#include "policy/machine.h"

#include "policy/extension.h"

#include <algorithm>
#include <ranges>

namespace entente::policy {
namespace {

using Kind = Value::Kind;

bool compare(Op op, int64_t left, int64_t right) {
  switch (op) {
    case Op::less:
      return left < right;
    case Op::less_equal:
      return left <= right;
    case Op::greater:
      return left > right;
    default:
      return left >= right;
  }
}

bool by_hash(const Name& a, const Name& b) {
  return a.hash < b.hash;
}

Cell number(int64_t value) {
  return Cell::scalar(Kind::integer, value);
}

}  // namespace

RequestHashes::RequestHashes(const Request& request)
    : principal_type(hash_text(request.principal.type)),
      principal(hash_uid(principal_type, hash_text(request.principal.id))),
      action(UidHash()(request.action)),
      resource_type(hash_text(request.resource.type)),
      resource(hash_uid(resource_type, hash_text(request.resource.id))) {
  principal_type = type_key(principal_type);
  resource_type = type_key(resource_type);
}

void Machine::begin(const Program& program, const Entities& entities, Overlay overlay, const Request& request,
                    const RequestHashes& hashes) {
  program_ = &program;
  codes_ = program.codes.data();
  store_ = &entities.inside();
  overlay_ = overlay;
  for (size_t i = 0; i < overlay.size(); ++i) overlay_hashes_[i] = UidHash()(overlay[i].uid);
  if (++stamp_ == 0) {
    for (Memo& memo : memos_) memo.stamp = 0;
    std::fill(actions_known_.begin(), actions_known_.end(), 0);
    near_stamps_.fill(0);
    stamp_ = 1;
  }
  if (memos_.size() < program.memos) memos_.resize(program.memos);
  if (actions_known_.size() < program.actions.size()) actions_known_.resize(program.actions.size());
  if (hints_.size() < program.hints) hints_.resize(program.hints);
  climbed_used_ = 0;
  ips_used_ = 0;
  kept_.clear();
  remembered_.clear();
  reads_.clear();
  instants_.clear();
  clock_bound_ = false;

  principal_name_ = {hashes.principal, &request.principal};
  action_name_ = {hashes.action, &request.action};
  resource_name_ = {hashes.resource, &request.resource};
  variables_ = {Cell::of(principal_name_), Cell::of(action_name_), Cell::of(resource_name_),
                Cell::of(request.context)};
  principal_ = Subject{principal_name_, nullptr, {}, false};
  resource_ = Subject{resource_name_, nullptr, {}, false};
  resolve(principal_);
  resolve(resource_);
  read(principal_);
  read(resource_);
  const auto attributes = [](const Subject& of) {
    return of.entity == nullptr ? nullptr : &of.entity->attributes;
  };
  attributes_ = {attributes(principal_), nullptr, attributes(resource_), &request.context};
}

// --- entities

const Entity* Machine::overlaid(const Name& name) const {
  for (size_t i = 0; i < overlay_.size(); ++i)
    if (overlay_hashes_[i] == name.hash && same_uid(overlay_[i].uid, *name.uid)) return &overlay_[i];
  return nullptr;
}

// The node of the store when neither the entity nor anything above it is replaced by the overlay.
const EntityNode* Machine::plain_node(const Name& name) const {
  const EntityNode* node = store_->node(name);
  if (node == nullptr || node->ancestors == nullptr) return node;
  for (size_t i = 0; i < overlay_.size(); ++i)
    if (is_among(*node->ancestors, {overlay_hashes_[i], &overlay_[i].uid})) return nullptr;
  return node;
}

void Machine::resolve(Subject& subject) {
  subject.entity = overlaid(subject.name);
  if (subject.entity != nullptr) return climb(subject);
  const EntityNode* node = store_->node(subject.name);
  if (node == nullptr) return;
  subject.entity = node->entity.get();
  if (node->ancestors == nullptr) return;
  subject.above = *node->ancestors;
  if (!overlay_.empty() && plain_node(subject.name) == nullptr) climb(subject);
}

// Everything above an entity of which something may be replaced by the overlay.
void Machine::climb(Subject& subject) {
  if (climbed_used_ == climbed_.size()) climbed_.push_back(std::make_unique<std::vector<Name>>());
  std::vector<Name>& out = *climbed_[climbed_used_++];
  out.clear();
  std::vector<Name> open;  // not plain: to be gone up from one by one
  const auto add = [&](const Name& parent) {
    if (same(parent, subject.name)) return;
    const bool own = overlaid(parent) != nullptr;
    const EntityNode* node = own ? nullptr : plain_node(parent);
    if (own || (node == nullptr && store_->node(parent) != nullptr)) {
      if (std::none_of(open.begin(), open.end(), [&](const Name& one) { return same(one, parent); }))
        open.push_back(parent);
    } else if (node != nullptr && node->ancestors != nullptr) {
      out.insert(out.end(), node->ancestors->begin(), node->ancestors->end());
    }
    out.push_back(parent);
  };
  const auto go_up = [&](const Name& from) {
    if (const Entity* own = overlaid(from)) {
      for (const EntityUid& parent : own->parents) add(name_of(parent));
    } else if (const EntityNode* node = store_->node(from)) {
      for (const uint64_t key : node->parents) add(store_->nodes.find(key)->name->name);
    }
  };
  go_up(subject.name);
  for (size_t i = 0; i < open.size(); ++i) go_up(Name(open[i]));
  std::sort(out.begin(), out.end(), by_hash);
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  std::erase_if(out, [&](const Name& one) { return same(one, subject.name); });
  subject.above = out;
}

Subject& Machine::subject(const Name& name) {
  if (same(name, principal_name_)) return principal_;
  if (same(name, resource_name_)) return resource_;
  const size_t at = name.hash % kNear;
  Subject& near = near_[at];
  if (near_stamps_[at] == stamp_ && same(near.name, name)) return near;
  near = Subject{name, nullptr, {}, false};
  near_stamps_[at] = stamp_;
  resolve(near);
  return near;
}

const Entity* Machine::find(const Name& name) {
  const Subject& found = subject(name);
  if (!found.above_read) reads_.push_back(name.uid);
  return found.entity;
}

void Machine::read(Subject& subject) {
  if (subject.above_read) return;
  subject.above_read = true;
  reads_.push_back(subject.name.uid);
  const auto above = subject.above | std::views::transform(&Name::uid);
  reads_.insert(reads_.end(), above.begin(), above.end());
}

bool Machine::is_in(Subject& subject, const Name& name) {
  if (same(subject.name, name)) return true;
  read(subject);
  return is_among(subject.above, name);
}

// --- policies

bool Machine::meets(const ScopeTest& test, Subject& subject) {
  if (test.kind == Scope::Kind::any) return true;
  if (!test.type.empty() && !same_text(subject.name.uid->type, test.type)) return false;
  if (test.kind == Scope::Kind::is) return true;
  const Name named{test.hash, &test.entity};
  return test.kind == Scope::Kind::equal ? same(subject.name, named) : is_in(subject, named);
}

bool Machine::meets_action(uint32_t action) {
  if (action == 0) return true;
  uint64_t& known = actions_known_[action];
  if (known / 2 != stamp_) {
    const auto& tests = program_->actions[action];
    Subject& asked = subject(action_name_);
    const bool met =
        std::any_of(tests.begin(), tests.end(), [&](const ScopeTest& t) { return meets(t, asked); });
    known = uint64_t{stamp_} * 2 + (met ? 1 : 0);
  }
  return (known & 1U) != 0;
}

Machine::Outcome Machine::applies(const Rule& rule, bool with_action) {
  if (with_action && !meets_action(rule.action)) return Outcome::no;
  if (rule.principal != 0 && !meets(program_->tests.data()[rule.principal], principal_)) return Outcome::no;
  if (rule.resource != 0 && !meets(program_->tests.data()[rule.resource], resource_)) return Outcome::no;
  for (uint32_t i = 0; i < rule.clauses_count; ++i) {
    const Clause& clause = program_->clauses.data()[rule.clauses + i];
    const Cell holds = truth(clause.code);
    if (holds.failed()) return Outcome::failed;
    if ((holds.number != 0) != clause.when) return Outcome::no;
  }
  return Outcome::yes;
}

// --- expressions

Cell Machine::truth(uint32_t at) {
  const Cell cell = eval(at);
  return cell.is(Kind::boolean) ? cell : Cell::failure();
}

Cell Machine::eval(uint32_t at) {
  const Code& code = codes_[at];
  if (code.op == Op::variable) return variables_[static_cast<size_t>(code.variable)];
  if (code.op == Op::literal) return program_->cells.data()[code.detail];
  if (code.memo == kNone) return run(code);
  Memo& memo = memos_.data()[code.memo];
  if (memo.stamp == stamp_) return memo.cell;
  const Cell out = run(code);
  memo = {out, stamp_};
  return out;
}

Cell Machine::run(const Code& code) {
  switch (code.op) {
    case Op::literal:
    case Op::variable:
      break;
    case Op::all:
    case Op::any:
      return settled(code);
    case Op::negation: {
      const Cell holds = truth(code.args[0]);
      return holds.failed() ? holds : Cell::of(holds.number == 0);
    }
    case Op::condition: {
      const Cell holds = truth(code.args[0]);
      return holds.failed() ? holds : eval(code.args[holds.number != 0 ? 1 : 2]);
    }
    case Op::equal:
    case Op::unequal:
      return equality(code);
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return order(code);
    case Op::minus:
    case Op::plus:
    case Op::subtract:
    case Op::times:
      return arithmetic(code);
    case Op::in:
      return in(code);
    case Op::has:
      return has(code);
    case Op::get:
      return get(code);
    case Op::like:
      return like(code);
    case Op::is:
      return is(code);
    case Op::set:
      return set(code);
    case Op::record:
      return record(code);
    case Op::call:
      return call(code);
    case Op::native:
      return native(code);
  }
  return Cell::failure();
}

// && and ||: from left to right, until one settles it.
Cell Machine::settled(const Code& code) {
  const bool settles = code.op == Op::any;
  const uint32_t* const links = program_->links.data() + code.args[0];
  for (uint32_t i = 0; i < code.args[1]; ++i) {
    const Cell holds = truth(links[i]);
    if (holds.failed() || (holds.number != 0) == settles) return holds;
  }
  return Cell::of(!settles);
}

Cell Machine::equality(const Code& code) {
  const Cell left = eval(code.args[0]);
  if (left.failed()) return left;
  const Cell right = eval(code.args[1]);
  if (right.failed()) return right;
  if (left.tag != right.tag) return Cell::of(code.op == Op::unequal);
  if (may_hold_time(left) && holds_time(left) && holds_time(right)) clock_bound_ = true;
  return Cell::of(equal(left, right) == (code.op == Op::equal));
}

Cell Machine::order(const Code& code) {
  const Cell left = eval(code.args[0]);
  if (left.failed()) return left;
  const Cell right = eval(code.args[1]);
  if (right.failed() || left.tag != right.tag) return Cell::failure();
  if (left.is(Kind::datetime)) {
    instants_.push_back({left.number});
    instants_.push_back({right.number});
  } else if (!left.is(Kind::integer) && !left.is(Kind::duration)) {
    return Cell::failure();
  }
  return Cell::of(compare(code.op, left.number, right.number));
}

Cell Machine::arithmetic(const Code& code) {
  const Cell left = eval(code.args[0]);
  if (!left.is(Kind::integer)) return Cell::failure();
  int64_t out = 0;
  if (code.op == Op::minus)
    return __builtin_sub_overflow(int64_t{0}, left.number, &out) ? Cell::failure() : number(out);
  const Cell right = eval(code.args[1]);
  if (!right.is(Kind::integer)) return Cell::failure();
  bool over = false;
  if (code.op == Op::plus) over = __builtin_add_overflow(left.number, right.number, &out);
  if (code.op == Op::subtract) over = __builtin_sub_overflow(left.number, right.number, &out);
  if (code.op == Op::times) over = __builtin_mul_overflow(left.number, right.number, &out);
  return over ? Cell::failure() : number(out);
}

Cell Machine::in(const Code& code) {
  const Cell left = eval(code.args[0]);
  if (!left.is(Kind::entity)) return Cell::failure();
  const Cell right = eval(code.args[1]);
  if (right.is(Kind::entity))
    return Cell::of(same(*left.entity, *right.entity) || is_in(subject(*left.entity), *right.entity));
  if (!right.is(Kind::set) || !right.set->all_entities) return Cell::failure();
  const ItemSet& set = *right.set;
  if (set.items.empty()) return Cell::of(false);
  Subject& asked = subject(*left.entity);
  read(asked);
  // Whichever is fewer: those it stands under, or those asked about.
  if (asked.above.size() < set.items.size()) {
    if (contains(set, Cell::of(asked.name))) return Cell::of(true);
    return Cell::of(std::any_of(asked.above.begin(), asked.above.end(),
                                [&](const Name& name) { return contains(set, Cell::of(name)); }));
  }
  return Cell::of(std::any_of(set.items.begin(), set.items.end(),
                              [&](const Value& item) { return is_in(asked, *Cell::of(item).entity); }));
}

const Value* Machine::attribute(const Record& record, const std::string& name, uint32_t hint) {
  const auto& members = record.members();
  uint16_t& last = hints_.data()[hint];
  if (last < members.size()) {
    const Record::Member& there = members.data()[last];
    if (same_text(there.first, name)) return &there.second;
  }
  const auto at =
      std::lower_bound(members.begin(), members.end(), name,
                       [](const Record::Member& one, const std::string& n) { return one.first < n; });
  if (at == members.end() || !same_text(at->first, name)) return nullptr;
  last = static_cast<uint16_t>(std::min<ptrdiff_t>(at - members.begin(), UINT16_MAX));
  return &at->second;
}

Cell Machine::has(const Code& code) {
  Cell cell = eval(code.args[0]);
  if (cell.failed()) return cell;
  const std::vector<std::string>& path = program_->lists[code.detail];
  for (const std::string& name : path) {
    const Value* found = nullptr;
    if (cell.is(Kind::record)) {
      found = path.size() == 1 ? attribute(*cell.record, name, code.hint) : cell.record->find(name);
    } else if (cell.is(Kind::entity)) {
      const Entity* entity = find(*cell.entity);
      if (entity != nullptr)
        found =
            path.size() == 1 ? attribute(entity->attributes, name, code.hint) : entity->attributes.find(name);
    } else {
      return Cell::failure();
    }
    if (found == nullptr) return Cell::of(false);
    cell = Cell::of(*found);
  }
  return Cell::of(true);
}

// Where the attributes of a record or an entity are.
const Record* Machine::members_of(const Cell& base) {
  if (base.is(Kind::record)) return base.record;
  if (!base.is(Kind::entity)) return nullptr;
  const Entity* entity = find(*base.entity);
  return entity == nullptr ? nullptr : &entity->attributes;
}

const Value* Machine::find_attribute(const Code& code) {
  const Code& base = codes_[code.args[0]];
  const Record* members = base.op == Op::variable ? attributes_[static_cast<size_t>(base.variable)] : nullptr;
  if (members == nullptr) members = members_of(eval(code.args[0]));
  return members == nullptr ? nullptr : attribute(*members, program_->names.data()[code.detail], code.hint);
}

Cell Machine::get(const Code& code) {
  const Value* found = find_attribute(code);
  return found == nullptr ? Cell::failure() : Cell::of(*found);
}

Cell Machine::is(const Code& code) {
  const Cell cell = eval(code.args[0]);
  if (!cell.is(Kind::entity)) return Cell::failure();
  const bool typed = same_text(cell.entity->uid->type, program_->names[code.detail]);
  return typed && code.args[1] != kNone ? in(code) : Cell::of(typed);
}

Cell Machine::like(const Code& code) {
  const Cell cell = eval(code.args[0]);
  if (!cell.is(Kind::string)) return Cell::failure();
  return Cell::of(matches(cell.text->text, program_->lists[code.detail]));
}

Cell Machine::keep(Value value) {
  kept_.push_back(std::move(value));
  return Cell::of(kept_.back());
}

Cell Machine::set(const Code& code) {
  Value::Items items;
  for (uint32_t i = 0; i < code.args[1]; ++i) {
    const Cell item = eval(program_->links[code.args[0] + i]);
    if (item.failed()) return item;
    items.push_back(value_of(item));
  }
  return keep(Value::set(std::move(items)));
}

Cell Machine::record(const Code& code) {
  Record out;
  for (uint32_t i = 0; i < code.args[1]; ++i) {
    const Cell member = eval(program_->links[code.args[0] + i]);
    if (member.failed()) return member;
    out.set(program_->lists[code.detail][i], value_of(member));
  }
  return keep(Value(std::move(out)));
}

Cell Machine::native(const Code& code) {
  Remembered one{program_->natives[code.detail], {}, {}};
  bool timed = false;
  for (uint32_t i = 0; i < code.args[1]; ++i) {
    const Code& its = codes_[program_->links[code.args[0] + i]];
    // An attribute is handed on as the very value that it is: copied by sharing, and known again.
    const Value* found = its.op == Op::get ? find_attribute(its) : nullptr;
    if (its.op == Op::get && found == nullptr) return Cell::failure();
    const Cell argument = found != nullptr ? Cell::of(*found) : eval(program_->links[code.args[0] + i]);
    if (argument.failed()) return argument;
    timed = timed || holds_time(argument);
    one.arguments.push_back(found != nullptr ? *found : value_of(argument));
  }
  for (const Remembered& known : remembered_)
    if (known.native == one.native && known.arguments == one.arguments) return Cell::of(known.result);
  // What a predicate does with an instant cannot be known, unless it says.
  if (timed && !(one.native->timeless && one.native->timeless(one.arguments))) clock_bound_ = true;
  auto result = one.native->function(one.arguments);
  if (!result) return Cell::failure();
  one.result = *std::move(result);
  remembered_.push_back(std::move(one));
  return Cell::of(remembered_.back().result);
}

}  // namespace entente::policy
