#include "policy/schema_parser.h"

#include "policy/cursor.h"

#include <map>
#include <set>

namespace entente::policy {
namespace {

constexpr size_t kTypeDepthMax = 32;

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : in_(text, file, "policy.schema") {}

  Result<std::vector<NamespaceText>> schema() {
    TRY_VOID(in_.start());
    std::vector<NamespaceText> all(1);
    while (!in_.done()) {
      TRY(AnnotationsText notes, annotations());
      if (!in_.at("namespace")) {
        TRY_VOID(declaration(all[0], std::move(notes)));
        continue;
      }
      in_.step();
      NamespaceText space;
      TRY(NameText name, path());
      space.name = std::move(name.name);
      space.span = name.span;
      space.annotations = std::move(notes);
      TRY_VOID(in_.expect("{"));
      while (!in_.take("}")) {
        TRY(AnnotationsText inner, annotations());
        TRY_VOID(declaration(space, std::move(inner)));
      }
      all.push_back(std::move(space));
    }
    return all;
  }

  Result<TypeText> only_type() {
    TRY_VOID(in_.start());
    TRY(TypeText out, type(0));
    if (!in_.done()) return in_.expected("the end");
    return out;
  }

 private:
  Result<AnnotationsText> annotations() {
    AnnotationsText out;
    std::set<std::string_view> noted;
    while (in_.take("@")) {
      const Token name = in_.now();
      if (!in_.at(Token::Kind::identifier)) return in_.expected("a name");
      in_.step();
      std::string value;
      if (in_.take("(")) {
        TRY(value, in_.string());
        TRY_VOID(in_.expect(")"));
      }
      if (!noted.insert(name.text).second)
        return in_.wrong(name, fmt::format("@{} is given twice", name.text));
      if (out.size() == kAnnotationsMax)
        return in_.wrong(name, fmt::format("more than {} annotations", kAnnotationsMax));
      out.emplace_back(name.text, std::move(value));
    }
    return out;
  }

  Result<void> declaration(NamespaceText& space, AnnotationsText notes) {
    if (in_.take("entity")) return entity(space, std::move(notes));
    if (in_.take("action")) return action(space, std::move(notes));
    if (in_.take("type")) return common(space, std::move(notes));
    return in_.expected("`entity`, `action` or `type`",
                        did_you_mean(in_.now().text, {"entity", "action", "type", "namespace"}));
  }

  Result<NameText> single() {
    const Token token = in_.now();
    TRY(std::string name, in_.name("a name"));
    return NameText{std::move(name), {token.begin, token.finish}};
  }

  Result<NameText> path() {
    const uint32_t begin = in_.now().begin;
    std::string name;
    if (in_.at("__cedar") && in_.after().is("::")) {
      name = in_.step().text;
    } else {
      TRY(name, in_.name("a name"));
    }
    while (in_.at("::") && in_.after().kind == Token::Kind::identifier) {
      in_.step();
      TRY(const std::string next, in_.name("a name"));
      name += "::" + next;
    }
    return NameText{std::move(name), {begin, in_.previous().finish}};
  }

  Result<std::vector<NameText>> paths() {
    std::vector<NameText> all;
    if (!in_.take("[")) {
      TRY(NameText one, path());
      all.push_back(std::move(one));
      return all;
    }
    if (in_.take("]")) return all;
    do {
      TRY(NameText one, path());
      all.push_back(std::move(one));
    } while (in_.take(","));
    TRY_VOID(in_.expect("]"));
    return all;
  }

  Result<void> entity(NamespaceText& space, AnnotationsText notes) {
    EntityText out;
    out.annotations = std::move(notes);
    do {
      TRY(NameText name, single());
      out.names.push_back(std::move(name));
    } while (in_.take(","));
    if (in_.take("enum")) {
      TRY_VOID(in_.expect("["));
      do {
        TRY(std::string id, in_.string());
        out.enumerated.push_back(std::move(id));
      } while (in_.take(","));
      TRY_VOID(in_.expect("]"));
    } else {
      TRY_VOID(entity_shape(out));
    }
    TRY_VOID(in_.expect(";"));
    space.entities.push_back(std::move(out));
    return {};
  }

  Result<void> entity_shape(EntityText& out) {
    if (in_.take("in")) {
      TRY(out.parents, paths());
    }
    const bool equals = in_.take("=");
    if (in_.at("{")) {
      TRY(out.attributes, type(0));
    } else if (equals) {
      return in_.expected("`{`");
    }
    if (in_.take("tags")) {
      TRY(out.tags, type(0));
    }
    return {};
  }

  Result<NameText> action_name() {
    const Token token = in_.now();
    if (!in_.at(Token::Kind::string)) return single();
    TRY(std::string name, in_.string());
    return NameText{std::move(name), {token.begin, token.finish}};
  }

  Result<ActionRef> action_ref() {
    ActionRef ref;
    ref.span.begin = in_.now().begin;
    if (in_.at(Token::Kind::string)) {
      TRY(ref.id, in_.string());
    } else {
      TRY(NameText first, path());
      if (in_.take("::")) {
        ref.type = std::move(first.name);
        TRY(ref.id, in_.string());
      } else {
        ref.id = std::move(first.name);
      }
    }
    ref.span.finish = in_.previous().finish;
    return ref;
  }

  Result<void> action(NamespaceText& space, AnnotationsText notes) {
    ActionText out;
    out.annotations = std::move(notes);
    do {
      TRY(NameText name, action_name());
      out.names.push_back(std::move(name));
    } while (in_.take(","));
    if (in_.take("in")) {
      const bool many = in_.take("[");
      const bool none = many && in_.at("]");
      do {
        if (none) break;
        TRY(ActionRef ref, action_ref());
        out.parents.push_back(std::move(ref));
      } while (many && in_.take(","));
      if (many) TRY_VOID(in_.expect("]"));
    }
    if (in_.take("appliesTo")) TRY_VOID(applies_to(out));
    if (in_.take("attributes")) {
      TRY_VOID(in_.expect("{"));
      TRY_VOID(in_.expect("}", "actions have no attributes"));
    }
    TRY_VOID(in_.expect(";"));
    space.actions.push_back(std::move(out));
    return {};
  }

  Result<void> applies_to(ActionText& out) {
    const Token opening = in_.now();
    TRY_VOID(in_.expect("{"));
    bool principal = false;
    bool resource = false;
    while (!in_.take("}")) {
      const Token what = in_.step();
      TRY_VOID(in_.expect(":"));
      if (what.is("principal") && !principal) {
        principal = true;
        TRY(out.principals, paths());
      } else if (what.is("resource") && !resource) {
        resource = true;
        TRY(out.resources, paths());
      } else if (what.is("context") && !out.context) {
        TRY(out.context, type(0));
        if (out.context->kind == TypeText::Kind::set)
          return in_.wrong(what, "the context is a record, or a type that is one");
        out.context->means = TypeText::Means::common;
      } else {
        return in_.wrong(what, "`principal`, `resource` and `context` belong here, each once");
      }
      if (!in_.take(",") && !in_.at("}")) return in_.expected("`,` or `}`");
    }
    if (out.principals.empty() || out.resources.empty())
      return in_.wrong(opening, "`appliesTo` needs at least one principal and one resource type");
    return {};
  }

  Result<void> common(NamespaceText& space, AnnotationsText notes) {
    CommonText out;
    out.annotations = std::move(notes);
    TRY(out.name, single());
    TRY_VOID(in_.expect("="));
    TRY(out.type, type(0));
    TRY_VOID(in_.expect(";"));
    space.commons.push_back(std::move(out));
    return {};
  }

  Result<TypeText> type(size_t depth) {
    if (depth > kTypeDepthMax)
      return in_.wrong(in_.now(), fmt::format("types nest deeper than {}", kTypeDepthMax));
    TypeText out;
    out.span.begin = in_.now().begin;
    if (in_.at("{")) {
      TRY_VOID(record(out, depth));
    } else if (in_.at("Set") && in_.after().is("<")) {
      in_.step();
      in_.step();
      out.kind = TypeText::Kind::set;
      TRY(TypeText element, type(depth + 1));
      out.element = std::make_unique<TypeText>(std::move(element));
      TRY_VOID(in_.expect(">"));
    } else {
      TRY(NameText name, path());
      out.name = std::move(name.name);
    }
    out.span.finish = in_.previous().finish;
    return out;
  }

  Result<void> record(TypeText& out, size_t depth) {
    out.kind = TypeText::Kind::record;
    std::map<std::string, size_t> places;
    in_.step();
    while (!in_.take("}")) {
      TypeText::Member member;
      TRY(member.annotations, annotations());
      if (in_.at(Token::Kind::string)) {
        TRY(member.name, in_.string());
      } else {
        TRY(member.name, in_.name("an attribute's name"));
      }
      member.required = !in_.take("?");
      TRY_VOID(in_.expect(":"));
      TRY(member.type, type(depth + 1));
      // Of a member declared twice Cedar takes the last.
      const auto [place, fresh] = places.emplace(member.name, out.members.size());
      if (fresh) {
        out.members.push_back(std::move(member));
      } else {
        out.members[place->second] = std::move(member);
      }
      if (!in_.take(",") && !in_.at("}")) return in_.expected("`,` or `}`");
    }
    return {};
  }

  Cursor in_;
};

}  // namespace

Result<std::vector<NamespaceText>> parse_schema_text(std::string_view text, std::string_view file) {
  return Parser(text, file).schema();
}

Result<TypeText> parse_type_text(std::string_view text, std::string_view file) {
  return Parser(text, file).only_type();
}

}  // namespace entente::policy
