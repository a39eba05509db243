#include "policy/confusable.h"

namespace entente::policy {

std::vector<Error> confusables(const Policy&) {
  return {};
}

}  // namespace entente::policy
