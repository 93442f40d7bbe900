// All verbs of tmsh, in the order in which `?` and help show them. A new verb is a file in verbs/ and a line here; a new
// `show sys …` or the like is a file there and a line in the phrases of its verb.

import type { Verb } from './verb.ts';
import { cd } from './verbs/cd.ts';
import { submit } from './verbs/cli-transaction.ts';
import { create } from './verbs/create.ts';
import { remove } from './verbs/delete.ts';
import { edit } from './verbs/edit.ts';
import { help } from './verbs/help.ts';
import { list } from './verbs/list.ts';
import { load } from './verbs/load.ts';
import { modify } from './verbs/modify.ts';
import { cp, mv } from './verbs/mv.ts';
import { pwd } from './verbs/pwd.ts';
import { exit, quit } from './verbs/quit.ts';
import { resetStats } from './verbs/reset-stats.ts';
import { run } from './verbs/run.ts';
import { save } from './verbs/save.ts';
import { restart, start, stop } from './verbs/service.ts';
import { show } from './verbs/show.ts';

export const VERBS: readonly Verb[] = [
  create,
  modify,
  edit,
  remove,
  mv,
  cp,
  list,
  show,
  resetStats,
  save,
  load,
  submit,
  restart,
  start,
  stop,
  run,
  cd,
  pwd,
  help(() => VERBS),
  quit,
  exit,
];

export function findVerb(name: string): Verb | undefined {
  return VERBS.find((verb) => verb.name === name);
}
