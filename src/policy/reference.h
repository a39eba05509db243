// The decision point done plainly: every policy, one after the other, by walking its tree. Slow, and short
// enough to be seen to be right: what decide() says is compared with it, in tests and by `entente policy
// bench`.
#pragma once

#include "policy/decide.h"

namespace entente::policy {

// As decide(), with `reads` left empty; `reach` may be less, as nothing is looked up that no policy asks for.
[[nodiscard]] Answer decide_plainly(const PolicySet& policies, const Entities& entities, Overlay overlay,
                                    const Request& request, DecideMode mode = {});

}  // namespace entente::policy
