// What a journey measured: a row for each step with what the person saw, how long it took, and what we aim
// for. Targets are printed, never asserted: a slow machine is not a wrong program. What must not last for ever has a
// bound of its own where it is waited for.
import { table } from '../../demo/people.mjs';

export class Stopwatch {
  rows = [];

  mark() {
    return performance.now();
  }

  // `took` and `target` are milliseconds, or text for anything else that is counted.
  note(journey, step, sees, took = '', target = '') {
    const show = (value) => (typeof value === 'number' ? `${Math.round(value)} ms` : value);
    this.rows.push([journey, step, sees, show(took), show(target)]);
    return took;
  }

  print() {
    return table(['journey', 'step', 'what they see', 'measured', 'target'], this.rows);
  }
}
