// Modules that a person has entered at the prompt: in `net`, `list vlan` is `list net vlan`, and `/sys db` leaves it.

import { OBJECT_TYPES } from '../config/object-types.ts';
import { commandsOf } from './sequence.ts';
import { findVerb } from './verbs.ts';

/** The module or component that a line enters, from within another; undefined: it is something else. */
export function enteredModule(line: string, module: string): string | undefined {
  const words = line.trim().split(/\s+/);
  if (words.length === 1 && words[0] === '/') return '';
  const isAbsolute = words[0]?.startsWith('/') === true;
  const path = [...(isAbsolute || module === '' ? [] : [module]), ...words].join(' ').replace(/^\//, '');
  return isModule(path) ? path : undefined;
}

/** Whether types are at or below the path. */
function isModule(path: string): boolean {
  return OBJECT_TYPES.some((type) => `${type.path} `.startsWith(`${path} `));
}

/** The words that may stand at the prompt to enter a module, with what they lead to. */
export function modulesWithin(module: string): Map<string, string> {
  const modules = new Map<string, string>();
  for (const { path } of OBJECT_TYPES) {
    if (module !== '' && !path.startsWith(`${module} `)) continue;
    const [word = '', ...rest] = path.slice(module === '' ? 0 : module.length + 1).split(' ');
    const known = modules.get(word);
    modules.set(
      word,
      [...(known === undefined ? [] : [known]), ...(rest.length === 0 ? [] : [rest.join(' ')])].join(', '),
    );
  }
  return modules;
}

/**
 * The command as it is written outside of the module. What starts with a slash, or names another module in full, stays as
 * it is.
 */
export function qualify(command: string, module: string): string {
  if (module === '') return command;
  const match = /^\s*(\S+)(\s+|$)/.exec(command);
  const verb = match === null ? undefined : findVerb(match[1]!);
  if (match === null || verb?.objects === undefined) return command;
  const rest = command.slice(match[0].length);
  const words = /^[^{}"]*/.exec(rest)![0].trim().split(/\s+/);
  if (rest.startsWith('/')) return command;
  if (!isModule(`${module} ${words[0]}`) && isElsewhere(words, verb.phrases ?? [])) return command;
  return `${match[0].trimEnd()} ${module} ${rest}`.trimEnd() + (/\s$/.test(command) ? ' ' : '');
}

/** As `qualify`, for each of several commands between semicolons. */
export function qualifyLine(line: string, module: string): string {
  const commands = commandsOf(line);
  if (module === '' || commands.length < 2) return qualify(line, module);
  return commands.map((command) => qualify(command.trim(), module)).join(' ; ');
}

/** Whether the words name a type or a phrase by its full path. */
function isElsewhere(words: readonly string[], phrases: readonly { readonly words: readonly string[] }[]): boolean {
  const text = `${words.join(' ')} `;
  return (
    OBJECT_TYPES.some((type) => text.startsWith(`${type.path} `)) ||
    phrases.some((phrase) => phrase.words.length > 0 && text.startsWith(`${phrase.words.join(' ')} `))
  );
}
