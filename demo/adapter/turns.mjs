// Nobody holds up everybody: how many requests run at once, of all and of one person, and how much of their bodies
// is in memory.

// Whose request runs now. The others wait in the order they came; what one person asks in different roles never
// runs side by side, so that an app may be told the roles before each.
export class Turns {
  #running = new Map(); // who -> { count, roles }
  #count = 0;
  #waiting = [];

  constructor(limits) {
    this.limits = limits; // { atOnce, ofOne, waiting, waitingOfOne }
  }

  #fits({ who, roles }) {
    const theirs = this.#running.get(who);
    if (this.#count >= this.limits.atOnce) return false;
    return !theirs || (theirs.count < this.limits.ofOne && theirs.roles === roles);
  }

  #start({ who, roles }) {
    const count = (this.#running.get(who)?.count ?? 0) + 1;
    this.#running.set(who, { count, roles });
    this.#count += 1;
  }

  #end(who) {
    const theirs = this.#running.get(who);
    theirs.count -= 1;
    if (theirs.count === 0) this.#running.delete(who);
    this.#count -= 1;
    this.#startWaiting();
  }

  #startWaiting() {
    const held = new Set(); // nobody's later request overtakes an earlier one
    this.#waiting = this.#waiting.filter((one) => {
      if (held.has(one.who) || !this.#fits(one)) {
        held.add(one.who);
        return true;
      }
      this.#start(one);
      one.go(true);
      return false;
    });
  }

  // Resolves to what ends the turn, or to nothing: too many wait, or whoever waited for the response has left.
  async take(who, roles, response) {
    const theirs = this.#waiting.filter((one) => one.who === who).length;
    if (response.destroyed) return undefined;
    if (theirs === 0 && this.#fits({ who, roles })) this.#start({ who, roles });
    else if (theirs >= this.limits.waitingOfOne || this.#waiting.length >= this.limits.waiting) return undefined;
    else if (!(await this.#wait({ who, roles }, response))) return undefined;
    return () => this.#end(who);
  }

  #wait(one, response) {
    return new Promise((go) => {
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        go(false);
        this.#startWaiting();
      };
      const waiting = {
        ...one,
        go: (answer) => {
          response.off('close', leave);
          go(answer);
        },
      };
      response.once('close', leave);
      this.#waiting.push(waiting);
    });
  }
}

// Room for bodies, in bytes: of all people together, and of one.
export class Room {
  #taken = 0;
  #byOne = new Map();

  constructor(limits) {
    this.limits = limits; // { all, ofOne }
  }

  // What gives the room back; nothing when there is none.
  take(who, bytes) {
    const theirs = (this.#byOne.get(who) ?? 0) + bytes;
    if (theirs > this.limits.ofOne || this.#taken + bytes > this.limits.all) return undefined;
    this.#taken += bytes;
    this.#byOne.set(who, theirs);
    return () => {
      this.#taken -= bytes;
      const left = this.#byOne.get(who) - bytes;
      if (left > 0) this.#byOne.set(who, left);
      else this.#byOne.delete(who);
    };
  }
}
