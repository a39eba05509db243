// What keys were released, to whom, when and under which verdict, and what of it can still be opened: from
// the ledger's releases alone. Requests, attempts and refusals do not count, so nobody can make it say more
// by asking. Kept in memory, bounded by bytes, with a part for each nation and each person: what finds no
// room is counted as incomplete, and whose it was stays known in the ledger. One thread.
#pragma once

#include "base/json.h"
#include "coalition/world.h"
#include "data/texts.h"
#include "ledger/ledger.h"

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace entente::data {

inline constexpr size_t kExposureBytesMax = 512 << 20;
inline constexpr size_t kExposureShownMax = 2'000;
// So many entries of the ledger after a release its key.withheld still takes it back: many more than come
// while one is under way. To know it of all would take as much memory as there are releases; one that is
// withheld later than that stays counted, as one that was given. Counted in entries, so that whoever reads
// some of them alone comes to the same.
inline constexpr uint64_t kWithheldWithinEntries = 65'536;
// What one turn of a loop may hold: entries of the ledger, and groups of a report.
inline constexpr size_t kExposureReadAtOnce = 500;
inline constexpr size_t kExposureGroupsAtOnce = 2'000;

struct ExposureFilter {  // empty, or 0: all
  std::string partner{};
  std::string person{};  // "XBB/<id>"
  std::string object{};  // id of the policy, or digest of the wrapped key
  std::string device{};
  uint64_t before = 0;  // rows whose last release is an earlier entry of the ledger; counts stay whole

  [[nodiscard]] bool is_narrow() const {
    return !partner.empty() || !person.empty() || !object.empty() || !device.empty();
  }
  [[nodiscard]] Json json() const;  // what of it is set
};

class Exposure {
 public:
  // Three quarters of the room are for whoever comes. The last one is kept apart: half of it for the people
  // of `self`, an eighth for those of each partner, a quarter of that for one person; so that whatever one of
  // them was given hides nobody else's.
  explicit Exposure(PartnerCode self, size_t bytes_max = kExposureBytesMax)
      : Exposure(std::move(self), ExposureFilter(), bytes_max) {}
  // Of what fits `only`: all the room is for the one nation or person that it names.
  Exposure(PartnerCode self, ExposureFilter only, size_t bytes_max = kExposureBytesMax)
      : self_(std::move(self)), only_(std::move(only)), bytes_max_(bytes_max) {}

  void add(const ledger::Record& record, uint64_t entry);  // the next of the ledger, of whatever class
  // The next of the ledger's batches, once each and in order, until `records_max` of it were looked at: true
  // when there are more before `until`. An error leaves it where it is: what cannot be read is not left out.
  [[nodiscard]] Result<bool> read_on(const ledger::Ledger& ledger, uint64_t until, size_t records_max);
  [[nodiscard]] uint64_t read() const { return read_; }
  [[nodiscard]] uint64_t releases() const { return releases_; }
  // Releases without a row: all of them, or those of the filter's nation where it names one.
  [[nodiscard]] uint64_t incomplete(const ExposureFilter& filter = {}) const;
  [[nodiscard]] bool names_partner(std::string_view code) const { return rooms_.contains(code); }
  // Whether anything that a recall of this kind and name fits was ever released. Nothing: what has no room
  // here may be of it, or the kind is none that rows have.
  [[nodiscard]] std::optional<bool> knows(std::string_view kind, const std::string& what) const;
  [[nodiscard]] size_t bytes() const { return bytes_; }  // about

 private:
  friend class ExposureReport;
  static constexpr uint32_t kNone = kNoNumber;
  static constexpr uint32_t kHere = kNoNumber - 1;  // the service that is this node's own

  struct Reader {
    uint32_t person, device;
    bool operator==(const Reader&) const = default;
  };
  struct What {
    uint32_t object, key;
    uint32_t text;  // digest of the policy's, where it names an author
    bool operator==(const What&) const = default;
  };
  // What has to be alike for releases to be of one row. An object's id, key and attributes are its sealer's
  // word, and whether another nation's service released it is that nation's: what was released here under
  // the same id and key is counted apart, so that neither of them changes what is said of it.
  struct Alike {
    uint32_t reader = kNone, what = kNone, kid = kNone, policy = kNone;
    uint32_t service = kNone;  // kHere, or whose, where it passed: it released it for one of our people
    bool operator==(const Alike&) const = default;
    [[nodiscard]] uint64_t hash() const { return hash_of({reader, what, kid, policy, service}); }
  };
  struct Release {
    Instant time{};
    uint64_t entry = 0;
    std::array<char, 16> verdict{};
  };
  struct Group {
    Alike of{};
    uint32_t count = 0;
    Instant first{};
    uint64_t first_entry = 0;
    Release last{};
  };
  struct Room {  // of one nation, of what is kept apart
    size_t bytes = 0;
    size_t bytes_max = 0;
    uint64_t incomplete = 0;
  };
  struct Recent {    // a release that may be withheld yet
    uint32_t group;  // or kNone: it had no room
    Room* room;
    Release own;
    Release before;  // the last of its group without it: what its group says where it is taken back
  };
  struct Seen {  // what a record says, with the numbers that it has here
    std::string person;
    std::string_view device, object, key, text, kid, service;
    std::vector<std::string_view> attributes{};
    std::vector<uint32_t> numbers{};  // of those attributes
    Reader by{};
    What of{};
    Alike alike{};
    uint32_t group = kNone;
  };
  [[nodiscard]] bool fits(const ledger::Record& record) const;
  [[nodiscard]] Room& room_of(std::string_view partner);
  [[nodiscard]] Seen look(const ledger::Record& record) const;
  void look_at_policy(const ledger::Record& record, Seen& seen) const;
  [[nodiscard]] static Release release_of(const ledger::Record& record, uint64_t entry);
  [[nodiscard]] bool is_anyones(size_t bytes) const { return bytes_ + bytes <= bytes_max_ / 4 * 3; }
  [[nodiscard]] bool has_room(const Room& room, uint32_t person, size_t bytes) const;
  [[nodiscard]] size_t bytes_of(const Seen& seen) const;  // that keeping it takes, beside what is kept
  [[nodiscard]] uint32_t group_of(const ledger::Record& record);
  [[nodiscard]] uint32_t policy_of(Seen& seen);
  void keep(Seen& seen);
  void forget_recent(uint64_t entry);
  void withhold(const ledger::Record& record);
  void take_back(const Recent& release, std::deque<Recent>::iterator newer);
  [[nodiscard]] const Reader& reader(const Group& group) const { return readers_[group.of.reader]; }
  [[nodiscard]] const What& what(const Group& group) const { return whats_[group.of.what]; }
  [[nodiscard]] std::string_view service(uint32_t number) const {
    return number == kHere ? std::string_view() : services_[number];
  }

  PartnerCode self_;
  ExposureFilter only_;
  size_t bytes_max_;
  size_t bytes_ = 0;
  uint64_t read_ = 0;
  uint64_t releases_ = 0;
  uint64_t incomplete_ = 0;
  std::map<std::string, Room, std::less<>> rooms_;
  std::vector<size_t> person_bytes_;  // of what is kept apart
  Texts persons_, devices_, objects_, keys_, texts_, kids_, attributes_, services_;
  std::map<std::vector<uint32_t>, uint32_t> policy_index_;  // many objects bear the same attributes
  std::vector<std::vector<uint32_t>> policies_;
  NumberTable reader_index_, what_index_, group_index_;
  std::deque<Reader> readers_;
  std::deque<What> whats_;
  std::deque<Group> groups_;
  std::deque<Recent> recent_;  // by entry; at most as many as kWithheldWithinEntries, beside what has room
};

// One report, made in slices so that others have the loop in between: {"asked", "releases", "readers",
// "objects", "openable", "elsewhere", "incomplete", "rows": [{partner, person, device, object, key, kid,
// count, first, last, verdict, first_entry, last_entry, passed, service?, openable?, why?}], "more", "next"?,
// "read"}: rows newest first, `more` older ones that are left out, which a report before `next` begins with,
// `read` the entries of the ledger that it is of. What another nation's `service` released is not openable by
// our word: where nothing here keeps it shut, the row has no `openable`, and is counted as `elsewhere`. That,
// `releases` and `openable` count keys, so that what is left of them is shut. What is recorded meanwhile may
// be in it or not; from one page to the next it moves to the first.
class ExposureReport {
 public:
  // Without a world nobody asks what can still be opened: all rows are as the ledger has them.
  ExposureReport(const Exposure& exposure, ExposureFilter filter, std::optional<coalition::World> world,
                 Instant now);
  // Looks at so many groups, or makes so many rows: false when the report is whole.
  [[nodiscard]] bool step(size_t count);
  [[nodiscard]] Json take();

 private:
  struct Recalls {  // of one kind, by what they name here
    std::vector<bool> objects, keys, persons, devices, texts, kids;
  };
  [[nodiscard]] bool fits(const Exposure::Group& group) const;
  [[nodiscard]] bool is_named(const Exposure::Group& group) const;
  [[nodiscard]] const std::string& why_shut(const Exposure::Group& group);
  [[nodiscard]] std::string ask(const Exposure::Group& group, coalition::Action right) const;
  [[nodiscard]] std::string ask_released(const Exposure::Group& group,
                                         const std::set<coalition::Action>& rights) const;
  void count(uint32_t number);
  void show(uint32_t number);
  [[nodiscard]] std::string_view partner_of(const Exposure::Group& group) const;
  [[nodiscard]] std::string_view id_of(const Exposure::Group& group) const;  // of the person, in their nation
  [[nodiscard]] static bool passed(const Exposure::Group& group) {
    return group.of.service != Exposure::kHere;
  }

  const Exposure& exposure_;
  ExposureFilter filter_;
  std::optional<coalition::World> world_;
  Instant now_;
  uint32_t person_ = Exposure::kNone, object_ = Exposure::kNone, key_ = Exposure::kNone,
           device_ = Exposure::kNone;
  Recalls recalled_;
  std::map<std::pair<uint32_t, std::string>, std::string, std::less<>> shut_;  // by policy and nation
  // Which rights over an object live releases give, to whomever of a nation: by "XBB/<object>".
  std::map<std::string, std::set<coalition::Action>, std::less<>> released_;
  std::string asked_;
  uint32_t next_ = 0;
  uint32_t end_ = 0;
  std::vector<bool> readers_, objects_;
  uint64_t releases_ = 0, openable_ = 0, elsewhere_ = 0, found_ = 0, readers_count_ = 0, objects_count_ = 0;
  using Row = std::pair<uint64_t, uint32_t>;  // its last entry when it was counted, and the group
  std::vector<Row> newest_;                   // a heap while counting, then in order
  bool counted_ = false;
  size_t shown_ = 0;
  Json rows_ = Json::array();
};

}  // namespace entente::data
