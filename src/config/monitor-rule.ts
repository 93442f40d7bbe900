// Rules over monitors: `a`, `a and b`, `min 1 of { a b }`.

import { MONITOR_TYPES, type MonitorModule } from '../health/monitor.ts';
import { fullPath, pathProblem, relativeName } from './name.ts';
import type { Reading, ScalarKind } from './property.ts';

const MONITOR_RULE = /^(?:min [0-9]+ of \{(?: [^\s{}"\\]+)* \}|[^\s{}"\\]+(?: and [^\s{}"\\]+)*)$/;

/** A name in such a rule: what is neither a word of the rule nor a brace. */
const NAME_IN_RULE = /(?<=^|\s)(?!(?:and|min [0-9]+|[0-9]+ of|of|[{}])(?:\s|$))[^\s]+/g;

/** Words that stand for a rule: none at all, and that of what it is a part of. */
const NO_RULE = ['default', 'none'];

/** Paths of the types of a module's monitors. */
export const MONITOR_PATHS: Readonly<Record<MonitorModule, readonly string[]>> = {
  gtm: MONITOR_TYPES.filter((type) => type !== 'virtual-location').map((type) => `gtm monitor ${type}`),
  ltm: MONITOR_TYPES.filter((type) => type !== 'bigip').map((type) => `ltm monitor ${type}`),
};

export type RuleText = {
  /** So many of them have to be up. */
  readonly atLeast: number;
  /** Full paths of monitors, in the order of the rule. */
  readonly names: readonly string[];
};

/** What a rule says, as it stands in a configuration; `none` and `default` name nobody. */
export function readMonitorRule(text: string): RuleText {
  const names = NO_RULE.includes(text) ? [] : (text.match(NAME_IN_RULE) ?? []);
  const count = /^min ([0-9]+) of /.exec(text)?.[1];
  return { atLeast: count === undefined ? names.length : Number(count), names };
}

/** A rule over the monitors of a module. */
export function monitorRuleKind(module: MonitorModule): ScalarKind<string> {
  const types = MONITOR_PATHS[module];
  return {
    shape: 'scalar',
    name: 'monitor',
    expects: 'the name of a monitor, several with and between them, or min 1 of { … }',
    isPhrase: true,
    within: {
      types,
      of: (value) => readMonitorRule(value).names.map((name) => ({ types, name })),
      renamed: (value, type, from, to) =>
        types.includes(type) ? changeNames(value, (name) => (name === from ? to : name)) : value,
    },
    read: readRule,
    print: (value, folder) => changeNames(value, (name) => relativeName(name, folder)),
  };
}

/** Where a monitor may come from above (`default`) or be left out (`none`). */
export function monitorOfPartKind(module: MonitorModule): ScalarKind<string> {
  return {
    ...monitorRuleKind(module),
    words: NO_RULE,
    read: (text, folder) => (NO_RULE.includes(text) ? { value: text } : readRule(text, folder)),
  };
}

function changeNames(text: string, change: (name: string) => string): string {
  return NO_RULE.includes(text) ? text : text.replace(NAME_IN_RULE, change);
}

function readRule(text: string, folder: string): Reading<string> {
  if (!MONITOR_RULE.test(text)) return { problem: 'must be the name of a monitor, or min 1 of { … }' };
  const value = text.replace(NAME_IN_RULE, (name) => fullPath(name, folder));
  const { atLeast, names } = readMonitorRule(value);
  for (const name of names) {
    const problem = pathProblem(name);
    if (problem !== undefined) return { problem: `must name monitors: ${problem}` };
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return { problem: `must name each monitor once: ${twice} stands in it twice` };
  if (names.length === 0) return { problem: 'must name a monitor' };
  if (atLeast < 1 || atLeast > names.length) {
    return { problem: `must ask for 1 to ${names.length} of its ${names.length} monitors` };
  }
  return { value };
}
