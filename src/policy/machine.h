// Evaluates compiled policies for one request after the other, in memory that it keeps. Borrows all that it
// is given until the next begin(). For one thread at a time. Private to the room.
#pragma once

#include "policy/decide.h"
#include "policy/entities_inside.h"
#include "policy/program.h"

#include <array>
#include <memory>
#include <span>
#include <vector>

namespace entente::policy {

// An entity of a request: what is known of it, and all that it stands under.
struct Subject {
  Name name;
  const Entity* entity = nullptr;  // null: there is none
  std::span<const Name> above;     // sorted by hash
  bool above_read = false;
};

struct RequestHashes {
  explicit RequestHashes(const Request& request);
  uint64_t principal_type;  // as type_key()
  uint64_t principal;
  uint64_t action;
  uint64_t resource_type;
  uint64_t resource;
};

class Machine {
 public:
  enum class Outcome : uint8_t { no, yes, failed };

  void begin(const Program& program, const Entities& entities, Overlay overlay, const Request& request,
             const RequestHashes& hashes);

  // Whether the scope lines hold (the action's only when asked for) and all conditions.
  [[nodiscard]] Outcome applies(const Rule& rule, bool with_action);
  [[nodiscard]] Cell eval(uint32_t at);
  [[nodiscard]] Subject& principal() { return principal_; }
  [[nodiscard]] Subject& resource() { return resource_; }
  void read(Subject& subject);  // it and all above it

  // What was read so far; names live as long as what the machine borrows. Some occur more than once.
  [[nodiscard]] std::vector<const EntityUid*>& reads() { return reads_; }
  [[nodiscard]] std::vector<Datetime>& instants() { return instants_; }
  [[nodiscard]] bool clock_bound() const { return clock_bound_; }

 private:
  static constexpr size_t kNear = 16;  // entities beside principal and resource that are kept at hand

  Cell run(const Code& code);
  Cell settled(const Code& code);
  Cell truth(uint32_t at);
  Cell equality(const Code& code);
  Cell order(const Code& code);
  Cell arithmetic(const Code& code);
  Cell in(const Code& code);
  Cell has(const Code& code);
  Cell get(const Code& code);
  const Value* find_attribute(const Code& code);
  Cell is(const Code& code);
  Cell like(const Code& code);
  Cell set(const Code& code);
  Cell record(const Code& code);
  Cell call(const Code& code);
  Cell make(const Code& code, const Cell& text);
  Cell set_method(const Code& code, const Cell& receiver, const Cell& argument);
  Cell tag_method(const Code& code, const Cell& receiver, const Cell& argument);
  Cell extension_method(const Code& code, const Cell& receiver, const Cell& argument);
  Cell time_method(const Code& code, const Cell& receiver, const Cell& argument);
  Cell native(const Code& code);
  Cell keep(Value value);

  const Value* attribute(const Record& record, const std::string& name, uint32_t hint);
  const Record* members_of(const Cell& base);
  bool meets(const ScopeTest& test, Subject& subject);
  bool meets_action(uint32_t action);
  bool is_in(Subject& subject, const Name& name);
  Subject& subject(const Name& name);
  const Entity* find(const Name& name);
  void resolve(Subject& subject);
  void climb(Subject& subject);
  const EntityNode* plain_node(const Name& name) const;
  const Entity* overlaid(const Name& name) const;

  const Program* program_ = nullptr;
  const Code* codes_ = nullptr;  // of the program
  const Entities::Inside* store_ = nullptr;
  Overlay overlay_;
  std::array<uint64_t, kOverlayMax> overlay_hashes_{};
  Name principal_name_;
  Name action_name_;
  Name resource_name_;
  std::array<Cell, 4> variables_;              // by Variable
  std::array<const Record*, 4> attributes_{};  // likewise, where they were read at the beginning
  Subject principal_;
  Subject resource_;

  // Remembered results count only when their stamp is that of this request.
  uint32_t stamp_ = 0;
  struct Memo {
    Cell cell;
    uint32_t stamp = 0;
  };
  std::vector<Memo> memos_;
  std::vector<uint64_t> actions_known_;  // by scope of actions: stamp * 2 + whether it is met
  std::array<Subject, kNear> near_;
  std::array<uint32_t, kNear> near_stamps_{};
  std::vector<uint16_t> hints_;

  std::vector<std::unique_ptr<std::vector<Name>>> climbed_;
  size_t climbed_used_ = 0;
  std::vector<std::unique_ptr<IpNet>> ips_;
  size_t ips_used_ = 0;
  std::vector<Value> kept_;
  struct Remembered {
    const NativePredicate* native;
    std::vector<Value> arguments;
    Value result;
  };
  std::vector<Remembered> remembered_;

  std::vector<const EntityUid*> reads_;
  std::vector<Datetime> instants_;
  bool clock_bound_ = false;
};

}  // namespace entente::policy
