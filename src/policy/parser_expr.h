// Expressions of policy text. Private to the room.
#pragma once

#include "policy/ast.h"
#include "policy/cursor.h"

#include <string>
#include <string_view>
#include <vector>

namespace entente::policy {

class ExpressionParser {
 public:
  ExpressionParser(Cursor& in, const NativePredicates& natives) : in_(in), natives_(natives) {}

  [[nodiscard]] Result<ExprPtr> expression();
  [[nodiscard]] Result<EntityUid> entity();
  [[nodiscard]] Result<std::string> type_name();

 private:
  Result<ExprPtr> conditional();
  Result<ExprPtr> disjunction();
  Result<ExprPtr> conjunction();
  Result<ExprPtr> relation();
  Result<ExprPtr> has_relation(ExprPtr left);
  Result<ExprPtr> like_relation(ExprPtr left);
  Result<ExprPtr> is_relation(ExprPtr left);
  Result<ExprPtr> sum();
  Result<ExprPtr> product();
  Result<ExprPtr> unary();
  Result<ExprPtr> member();
  Result<ExprPtr> access(ExprPtr left);
  Result<ExprPtr> call(ExprPtr receiver, const Token& name);
  Result<ExprPtr> function();
  Result<ExprPtr> primary();
  Result<ExprPtr> integer(bool negative);
  Result<ExprPtr> set_literal();
  Result<ExprPtr> record_literal();
  Result<std::vector<ExprPtr>> list(std::string_view close);

  ExprPtr node(Op op, uint32_t begin, std::vector<ExprPtr> args = {});
  Result<ExprPtr> finish(ExprPtr expr);  // checks the depth
  Result<ExprPtr> join(Op op, ExprPtr left, ExprPtr right);

  Cursor& in_;
  const NativePredicates& natives_;
  size_t nesting_ = 0;
};

}  // namespace entente::policy
