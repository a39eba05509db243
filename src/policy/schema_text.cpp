// Schemas as Cedar text again, declarations in the order given.
#include "policy/lexer.h"
#include "policy/print.h"
#include "policy/schema_parser.h"

#include <fmt/format.h>

namespace entente::policy {
namespace {

class Writer {
 public:
  std::string take() { return std::move(out_); }

  void space(const NamespaceText& space) {
    if (space.name.empty()) return declarations(space, "");
    gap();
    annotations(space.annotations, "");
    out_ += fmt::format("namespace {} {{\n", space.name);
    fresh_ = true;
    declarations(space, "  ");
    out_ += "}\n";
    fresh_ = false;
  }

 private:
  // An empty line between declarations.
  void gap() {
    if (!fresh_) out_ += "\n";
    fresh_ = false;
  }

  void declarations(const NamespaceText& space, const std::string& indent) {
    for (const CommonText& one : space.commons) {
      gap();
      annotations(one.annotations, indent);
      out_ += fmt::format("{}type {} = ", indent, one.name.name);
      type(one.type, indent);
      out_ += ";\n";
    }
    for (const EntityText& one : space.entities) entity(one, indent);
    for (const ActionText& one : space.actions) action(one, indent);
  }

  void annotations(const AnnotationsText& all, const std::string& indent) {
    for (const auto& [name, value] : all) out_ += fmt::format("{}@{}({})\n", indent, name, quote(value));
  }

  void type(const TypeText& type_at, const std::string& indent) {
    if (type_at.kind == TypeText::Kind::set) {
      out_ += "Set<";
      type(*type_at.element, indent);
      out_ += ">";
      return;
    }
    if (type_at.kind == TypeText::Kind::name) {
      const bool own = type_at.means == TypeText::Means::own && !type_at.name.starts_with("__cedar::");
      out_ += own ? "__cedar::" + type_at.name : type_at.name;
      return;
    }
    if (type_at.members.empty()) {
      out_ += "{}";
      return;
    }
    const std::string inner = indent + "  ";
    out_ += "{\n";
    for (size_t i = 0; i < type_at.members.size(); ++i) {
      const TypeText::Member& member = type_at.members[i];
      annotations(member.annotations, inner);
      out_ += fmt::format("{}{}{}: ", inner, is_plain_name(member.name) ? member.name : quote(member.name),
                          member.required ? "" : "?");
      type(member.type, inner);
      out_ += i + 1 < type_at.members.size() ? ",\n" : "\n";
    }
    out_ += indent + "}";
  }

  void names(const std::vector<NameText>& all) {
    out_ += "[";
    for (size_t i = 0; i < all.size(); ++i) out_ += (i > 0 ? ", " : "") + all[i].name;
    out_ += "]";
  }

  void entity(const EntityText& entity, const std::string& indent) {
    gap();
    annotations(entity.annotations, indent);
    out_ += indent + "entity ";
    for (size_t i = 0; i < entity.names.size(); ++i) out_ += (i > 0 ? ", " : "") + entity.names[i].name;
    if (!entity.enumerated.empty()) {
      out_ += " enum [";
      for (size_t i = 0; i < entity.enumerated.size(); ++i)
        out_ += (i > 0 ? ", " : "") + quote(entity.enumerated[i]);
      out_ += "]";
    }
    if (!entity.parents.empty()) {
      out_ += " in ";
      names(entity.parents);
    }
    if (entity.attributes &&
        !(entity.attributes->kind == TypeText::Kind::record && entity.attributes->members.empty())) {
      out_ += " = ";
      type(*entity.attributes, indent);
    }
    if (entity.tags) {
      out_ += " tags ";
      type(*entity.tags, indent);
    }
    out_ += ";\n";
  }

  void action(const ActionText& action, const std::string& indent) {
    gap();
    annotations(action.annotations, indent);
    out_ += indent + "action ";
    for (size_t i = 0; i < action.names.size(); ++i) {
      const std::string& name = action.names[i].name;
      out_ += (i > 0 ? ", " : "") + (is_plain_name(name) ? name : quote(name));
    }
    if (!action.parents.empty()) {
      out_ += " in [";
      for (size_t i = 0; i < action.parents.size(); ++i) {
        const ActionRef& ref = action.parents[i];
        out_ +=
            fmt::format("{}{}{}", i > 0 ? ", " : "", ref.type.empty() ? "" : ref.type + "::", quote(ref.id));
      }
      out_ += "]";
    }
    if (!action.principals.empty() && !action.resources.empty()) {
      const std::string inner = indent + "  ";
      out_ += " appliesTo {\n" + inner + "principal: ";
      names(action.principals);
      out_ += ",\n" + inner + "resource: ";
      names(action.resources);
      if (action.context) {
        out_ += ",\n" + inner + "context: ";
        type(*action.context, inner);
      }
      out_ += "\n" + indent + "}";
    }
    out_ += ";\n";
  }

  std::string out_;
  bool fresh_ = true;
};

}  // namespace

std::string write_schema_text(const std::vector<NamespaceText>& spaces) {
  Writer writer;
  for (const NamespaceText& space : spaces) writer.space(space);
  return writer.take();
}

}  // namespace entente::policy
