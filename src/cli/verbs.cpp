#include "cli/verbs.h"

namespace entente::cli {
namespace {

constexpr std::string_view kSocket = "socket,config";
constexpr std::string_view kSocketAnswer = "socket,config,seen,words";
constexpr std::string_view kSocketReason = "socket,config,reason";
// Of what ends something: --preview says what, and changes nothing.
constexpr std::string_view kSocketEnds = "socket,config,reason,preview!";

constexpr Verb kVerbs[] = {
    {"node run", "--config FILE", "Run a node until it is told to stop", "config", 0, 0, node_run},
    {"node keys", "--config FILE", "Make the node's keys if they are missing; print the public ones",
     "config", 0, 0, node_keys},
    {"node init", "--config FILE --genesis FILE", "Found a node's store and ledger from its signed genesis",
     "config,genesis", 0, 0, node_init},
    {"node check", "--config FILE", "Read the configuration and say what is wrong, starting nothing",
     "config", 0, 0, node_check},
    {"genesis key", "--out FILE", "Make a nation's own key, which signs its genesis and stays offline", "out",
     0, 0, genesis_key},
    {"genesis sign", "--key FILE --in FILE --out FILE", "Sign a node's first records with the nation's key",
     "key,in,out", 0, 0, genesis_sign},
    {"connector run", "--config FILE", "Run a connector beside an app; it dials out and listens nowhere",
     "config", 0, 0, connector_run},
    {"connector enrol", "--config FILE --token TOKEN --door URL --trust FILE",
     "Give a connector its identity, with a one-time token", "config,token,door,trust", 0, 0,
     connector_enrol},
    {"connector add", "ID --apps A,B [--for CODE,CODE] [--days N]",
     "Expect a new connector, to which these nations' people are sent first; prints its one-time token",
     "socket,config,apps,for,days", 1, 1, connector_add},
    {"connector cut", "ID --reason TEXT|--preview",
     "Take a connector's right away; it is disconnected at once", kSocketEnds, 1, 1, connector_cut},
    {"connector list", "", "Connectors, what they serve, how near they are", kSocket, 0, 0, connector_list},
    {"partner list", "", "Partners, their state, membership and link", kSocket, 0, 0, partner_list},
    {"partner suspend", "CODE --reason TEXT|--preview",
     "End all sharing with a partner at once; --preview says what would end, here and below, and changes "
     "nothing",
     kSocketEnds, 1, 1, partner_suspend},
    {"partner resume", "CODE --reason TEXT", "Let a suspended partner's people sign in again", kSocketReason,
     1, 1, partner_resume},
    {"partner isolate", "CODE CODE --reason TEXT|--preview",
     "Keep this nation's people and another's out of each other's apps at once", kSocketEnds, 2, 2,
     partner_isolate},
    {"partner rejoin", "CODE CODE --reason TEXT", "End an isolation; people sign in again", kSocketReason, 2,
     2, partner_rejoin},
    {"release",
     "FILE|ID [--attribute FQN]... --to CODE [--person ID] [--right RIGHT]... --minutes N --reason TEXT",
     "Let an object under originator control go to a nation its label does not name, or to one of its "
     "people: "
     "the object in FILE, or the one of that ID which bears exactly these attributes",
     "socket,config,attribute+,to,person,right+,minutes,reason", 1, 1, release_object},
    {"release ask",
     "FILE --purpose TEXT --minutes N [--right open|view|edit|forward|relabel] --token FILE --proof "
     "PRIVATE.pem --service "
     "URL[=URL]... "
     "[--trust FILE]",
     "Ask an object's nations of origin to let it go to you, who its label does not name, to open it; or to "
     "do "
     "more with it: `open --right edit`, `reseal`",
     "purpose,minutes,right,token,proof,service+,trust", 1, 1, release_ask},
    {"release ls", "[--all] [--after NEXT]",
     "What is released onward, to whom, until when, and what is asked for; a page of what holds or waits, or "
     "of all",
     "socket,config,all!,after", 0, 0, release_list},
    {"release show", "ID", "One release: of what, to whom, what for, and the mark it is answered by", kSocket,
     1, 1, release_show},
    {"release approve", "ID --seen MARK [--words TEXT]",
     "Release what is asked for, as it was read; nobody approves twice", kSocketAnswer, 1, 1,
     release_approve},
    {"release deny", "ID --seen MARK [--words TEXT]", "Refuse a release; whoever asked reads the words",
     kSocketAnswer, 1, 1, release_deny},
    {"release revoke", "ID [--words TEXT|--preview]",
     "Take a release back; no key is given out by it any more", "socket,config,words,preview!", 1, 1,
     release_revoke},
    {"recall",
     "KIND WHAT --reason TEXT|--preview [--partner CODE] [--classification LEVEL] [--attribute FQN]...",
     "Release no key any more: of an object, policy, partner, person, device, mission, key or label",
     "socket,config,reason,preview!,partner,classification,attribute+", 2, 2, recall_object},
    {"recall list", "", "What of sealed objects is recalled", kSocket, 0, 0, recall_list},
    {"recall lift", "KIND WHAT --reason TEXT",
     "End a recall, an author's (of the kind author) too; as `recall list` has it", kSocketReason, 2, 2,
     recall_lift},
    {"recall own",
     "FILE --reason TEXT --token FILE --proof PRIVATE.pem --service URL[=URL]... [--trust FILE]",
     "Take back what you sealed with your token: your own nation's key service releases no key of it any "
     "more",
     "reason,token,proof,service+,trust", 1, 1, recall_own},
    {"key-service reload", "--reason TEXT",
     "Read the key service's keys again, without a restart: old ones open on, the newest is given out",
     kSocketReason, 0, 0, key_service_reload},
    {"clock show", "", "How far decisions are ahead of the wall clock, where that was set back", kSocket, 0,
     0, clock_show},
    {"clock accept", "--reason TEXT",
     "The clock was ahead and is right now: go on from it; what ended stays ended, everybody signs in again",
     kSocketReason, 0, 0, clock_accept},
    {"exposure", "[--partner CODE] [--person CODE/ID] [--object ID] [--device ID] [--before ENTRY]",
     "Which keys were released to whom, and what can still be opened",
     "socket,config,partner,person,object,device,before", 0, 0, exposure},
    {"app list", "", "Apps of this node and those offered to it", kSocket, 0, 0, app_list},
    {"app withdraw", "APP --reason TEXT|--preview", "Stop offering an app of this node; its sessions end",
     kSocketEnds, 1, 1, app_withdraw},
    {"session ls", "", "Who is inside now, of which nation, in which app, since when", kSocket, 0, 0,
     session_list},
    {"session cut", "ID --reason TEXT|--preview", "End one session at once", kSocketEnds, 1, 1, session_cut},
    {"mission ls", "", "Missions, their phase, threat and lead", kSocket, 0, 0, mission_list},
    {"mission show", "NAME", "One mission: who takes part, what is open in it, who knows its phase", kSocket,
     1, 1, mission_show},
    {"mission phase", "NAME PHASE --reason TEXT|--preview",
     "Move a mission into a phase: what policies then refuse ends at once", kSocketEnds, 2, 2, mission_phase},
    {"mission threat", "NAME LEVEL --reason TEXT|--preview",
     "Say a mission's threat, which policies read as its phase", kSocketEnds, 2, 2, mission_threat},
    {"mission end", "NAME --reason TEXT|--preview",
     "End a mission: its sessions, requests, grants and delegations are over", kSocketEnds, 1, 1,
     mission_end},
    {"request ls", "[--all] [--after NEXT]", "Who asks for which app; a page of what waits, or of all",
     "socket,config,all!,after", 0, 0, request_list},
    {"request show", "ID",
     "One request: who, what for, what approving would open, and the mark it is answered by", kSocket, 1, 1,
     request_show},
    {"request approve", "ID --seen MARK [--words TEXT]",
     "Give what is asked for, as it was read; nobody approves their own", kSocketAnswer, 1, 1,
     request_approve},
    {"request deny", "ID --seen MARK [--words TEXT]",
     "Refuse what is asked for, with a word to whoever asked", kSocketAnswer, 1, 1, request_deny},
    {"grant ls", "[--all] [--after NEXT]",
     "What was given to whom, for what, until when, and who approved it; a page of what holds, or of all",
     "socket,config,all!,after", 0, 0, grant_list},
    {"grant revoke", "ID [--words TEXT|--preview]", "Take a grant back; the session it opened ends at once",
     "socket,config,words,preview!", 1, 1, grant_revoke},
    {"delegation ls", "[--all] [--after NEXT]",
     "Who answers requests in whose name, for which app, until when; a page of what holds, or of all",
     "socket,config,all!,after", 0, 0, delegation_list},
    {"delegation add", "APP PERSON --minutes N",
     "Let somebody of this nation answer requests for an app in your name", "socket,config,minutes", 2, 2,
     delegation_add},
    {"delegation end", "ID [--preview]", "End a delegation at once", "socket,config,preview!", 1, 1,
     delegation_end},
    {"why", "VERDICT", "What a verdict said, why, and under which world", kSocket, 1, 1, why},
    {"ledger verify", "--config FILE [--remembered FILE | --exposure REPORT] [--checkpoint-out FILE]",
     "Check store and ledger from outside: chained, signed, complete; and whether a report of `exposure "
     "--json` is what the ledger says, no release more and none less",
     "config,remembered,exposure,checkpoint-out", 0, 0, ledger_verify},
    {"ledger show", "[--last N]", "The newest records of the ledger, in plain text", "socket,config,last", 0,
     0, ledger_show},
    {"policy check", "[SCHEMA] FILE... [--permissive] [--level N]",
     "Check policies against a schema (without one: the language alone); says file, line, column, with a "
     "suggestion",
     "level,permissive!", 1, 256, policy_check},
    {"policy bench", "FILE...",
     "Put data sets to the decision point: is each answer right, what does one cost", "", 1, 64,
     policy_bench},
    {"policy fmt", "FILE... [--check]",
     "Lay policy files out in place, comments kept; --check: only say which are not", "check!", 1, 4096,
     policy_fmt},
    {"policy test", "FILE.case...", "Run tables of asks and expected verdicts", "", 1, 256, policy_test},
    {"policy convert", "FILE", "Policies or a schema from text to JSON, or from JSON to text", "", 1, 1,
     policy_convert},
    {"policy conformance", "FOLDER-OR-TAR...",
     "Run collections of tests in the layout of Cedar's integration tests", "", 1, 256, policy_conformance},
    {"label parse", "FILE --policy SPIF [--portion] [--language TAG]",
     "Read a label (XML, JSON or a marking line), check it against its policy, print it as JSON",
     "policy,language,portion!", 1, 1, label_parse},
    {"label print", "FILE --policy SPIF [--portion] [--language TAG]", "Print a label's marking line",
     "policy,language,portion!", 1, 1, label_print},
    {"label compare", "CLEARANCE FILE --policy SPIF [--portion] [--language TAG]",
     "Does a clearance cover a label, and if not why", "policy,language,portion!", 2, 2, label_compare},
    {"label roll-up", "BANNER FILE... --policy SPIF [--language TAG]",
     "Is a document's banner at least what its portions are together, and if not where: of each FILE a "
     "label, "
     "or portion marks, one each line",
     "policy,language", 2, 256, label_roll_up},
    {"label prove", "MAPPINGS SPIF...",
     "Prove that no chain of mappings raises or widens a label, or print the shortest that does", "", 2, 256,
     label_prove},
    {"seal",
     "FILE --to KEY-SERVICE|KEY-SERVICE=PUBLIC.pem|PUBLIC.pem... [--attribute FQN]... [--person NAME]... "
     "[--label "
     "FILE] [--split-per-recipient | --any-of] [--as CODE --sign PRIVATE.pem] [--type MIME] [--trust FILE] "
     "[--tdf-version 4.2.2] [--token FILE --proof PRIVATE.pem --service URL] -o OUT",
     "Seal a file (- reads standard input) into an object that only its recipients' key services or keys "
     "open: any one of them, or all with --split-per-recipient. An object of several originators takes a "
     "share "
     "of each, unless --any-of says that one alone may open it. With your token, your own nation's key "
     "service says by what mark it knows you: then you can take the object back, and nobody else learns who "
     "sealed it",
     "to+,attribute+,person+,label,split-per-recipient!,any-of!,as,sign,type,trust,tdf-version,token,proof,"
     "service+,out",
     1, 1, object_seal},
    {"open",
     "FILE [--key PRIVATE.pem]... [--token FILE --proof PRIVATE.pem --service URL[=URL]... [--trust FILE]] "
     "[--right open|edit] [--originator CODE=PUBLIC.pem]... [--known-originator CODE=PUBLIC.pem|URL]... "
     "[--pin ASSERTION=PUBLIC.pem]... -o OUT",
     "Open a sealed object with private keys, or by key services that take your token and are asked for that "
     "right; all of it is verified before OUT appears. Who signed it is said, as far as the keys of "
     "--known-originator tell; with --originator it must be one of these",
     "key+,token,proof,service+,trust,right,originator+,known-originator+,pin+,out", 1, 1, object_open},
    {"reseal",
     "FILE (what `open` takes to open it) [--to ...]... [--attribute FQN]... [--person NAME]... [--label "
     "FILE] "
     "[--split-per-recipient | --any-of] [--as CODE --sign PRIVATE.pem [--vouch]] "
     "[--originator CODE=PUBLIC.pem]... [--known-originator CODE=PUBLIC.pem|URL]... -o OUT",
     "Give an object other rights or another label; its payload stays as it is, byte for byte. Attributes, "
     "people and assertions that are not given stay; fewer key shares than before take --any-of; what is "
     "dropped is said. Key services are asked for `forward` where somebody could open it then who could not "
     "before, for `relabel` where label or attributes change, for both where both, and otherwise for `open`. "
     "--sign opens all of it, and takes that it bears their signature already, or one of --originator; after "
     "a change of their key, --known-originator names the one before. --vouch signs what nobody signed, or "
     "somebody else: read it first, whoever could open it could have made it what it is. What bears their "
     "signature and was changed since is never signed",
     "key+,token,proof,service+,to+,attribute+,person+,label,split-per-recipient!,any-of!,as,sign,vouch!,"
     "trust,"
     "originator+,known-originator+,pin+,out",
     1, 1, object_reseal},
    {"inspect",
     "FILE [--key PRIVATE.pem]... [--originator CODE=PUBLIC.pem]... [--known-originator "
     "CODE=PUBLIC.pem|URL]... "
     "[--trust FILE] [--pin ASSERTION=PUBLIC.pem]...",
     "Say what a sealed object claims, and what of it is verified; with its keys, all of it is",
     "key+,originator+,known-originator+,trust,pin+", 1, 1, object_inspect},
    {"doctor", "", "What works and what does not, and what to do about it", kSocket, 0, 0, doctor},
    {"man", "", "The manual page, in roff", "", 0, 0, man},
};

}  // namespace

std::span<const Verb> verbs() {
  return kVerbs;
}

}  // namespace entente::cli
