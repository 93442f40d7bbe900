// Rules over monitors: `a`, `a and b`, `min 1 of { a b }`.

import { COMMON, fullPath } from './name.ts';
import type { Reading, ScalarKind } from './property.ts';

const MONITOR_RULE = /^(?:min [0-9]+ of \{(?: [^\s{}"\\]+)* \}|[^\s{}"\\]+(?: and [^\s{}"\\]+)*)$/;

/** A name in such a rule: what is neither a word of the rule nor a brace. */
const NAME_IN_RULE = /(?<=^|\s)(?!(?:and|min [0-9]+|[0-9]+ of|of|[{}])(?:\s|$))[^\s]+/g;

export const monitorRuleKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'monitor',
  expects: 'the name of a monitor, several with and between them, or min 1 of { … }',
  isPhrase: true,
  read: readMonitorRule,
  print: (value) => value,
};

/** Where a monitor may come from above (`default`) or be left out (`none`). */
export const monitorOfPartKind: ScalarKind<string> = {
  ...monitorRuleKind,
  words: ['default', 'none'],
  read: (text) => (text === 'default' || text === 'none' ? { value: text } : readMonitorRule(text)),
};

function readMonitorRule(text: string): Reading<string> {
  if (!MONITOR_RULE.test(text)) return { problem: 'must be the name of a monitor, or min 1 of { … }' };
  return { value: text.replace(NAME_IN_RULE, (name) => fullPath(name, COMMON)) };
}
