// Completion of a command: what may stand at the cursor, by the table of verbs and the definitions of the object types.
//
// 1. The verb. 2. Fixed words or the path of an object type. 3. A name. 4. Properties (complete-properties.ts), operands,
// options. The text before the cursor is walked as the parser walks it; where it ends is what may come next.

import { objectKey } from '../config/change.ts';
import type { Configuration } from '../config/configuration.ts';
import { nameOf } from '../config/load-text.ts';
import { ROOT, foldersOf } from '../config/folders.ts';
import { COMMON, fullPath, relativeName } from '../config/name.ts';
import { namingProblem } from '../config/object-type.ts';
import type { AnyObjectType } from '../config/object-type.ts';
import { OBJECT_TYPES } from '../config/object-types.ts';
import { vocabularyOf } from '../config/read-properties.ts';
import type { Token } from '../config/scanner.ts';
import { ALL_WORDS, isNear, isPattern } from './arguments.ts';
import { completeProperties, helpOf, offerScalar, takeWhole } from './complete-properties.ts';
import type { PropertyScene } from './complete-properties.ts';
import { offerObjects } from './complete-names.ts';
import { DELIMITERS, OfferCollector } from './completion.ts';
import type { Completion } from './completion.ts';
import { enteredModule, modulesWithin, qualify } from './module-path.ts';
import { commandsOf } from './sequence.ts';
import type { Objects, Operand, OptionWord, Phrase, Verb } from './verb.ts';
import { VERBS, findVerb } from './verbs.ts';
import { WordCursor } from './word-cursor.ts';

export type CompletionOptions = {
  readonly configuration: Configuration;
  /** The folder that bare names belong to. */
  readonly folder?: string;
  /** The module that was entered at a prompt, empty for none; absent: there is no prompt, and no module to enter. */
  readonly module?: string;
};

/** `text` is the command up to the cursor. */
export function complete(text: string, options: CompletionOptions): Completion {
  const { configuration, folder = COMMON, module } = options;
  const command = lastCommand(text);
  // A verb that is still being typed has no module behind it.
  const cursor = new WordCursor(/\S\s/.test(command) ? qualify(command, module ?? '') : command);
  const into = new OfferCollector(cursor.prefix);
  completeVerb({ cursor, into, configuration, folder }, module);
  return into.finish(cursor.prefixCharacters);
}

/** Behind a semicolon another command starts. */
function lastCommand(text: string): string {
  // A word at the cursor that cannot be a part of what is before it: the last command is then never empty.
  const mark = 'x';
  return commandsOf(`${text}${mark}`).at(-1)!.slice(0, -mark.length);
}

function completeVerb(scene: PropertyScene, module: string | undefined): void {
  const { cursor, into } = scene;
  let token = cursor.next();
  // Manuals write the prompt's program before the command.
  if (token?.text === 'tmsh' && !token.isQuoted) token = cursor.next();
  if (token === undefined) {
    if (cursor.isQuoted) return;
    for (const { name, help } of VERBS) into.add('Commands', name, help);
    if (module !== undefined) offerModules(into, module);
    return;
  }
  const verb = token.kind === 'word' ? findVerb(token.text) : undefined;
  if (verb === undefined && module !== undefined && completeModule(scene, module, token.text)) return;
  if (verb === undefined) into.refuse(`unexpected argument "${token.text}"`);
  else completeTarget(scene, verb);
}

function offerModules(into: OfferCollector, module: string): void {
  const isAbsolute = into.prefix.startsWith('/');
  const title = module === '' || isAbsolute ? 'Modules' : 'Components';
  for (const [word, help] of [...modulesWithin(isAbsolute ? '' : module)].sort(byWord)) {
    into.add(title, `${isAbsolute ? '/' : ''}${word}`, help);
  }
}

/** The words of a module or component to be entered, of which `first` has been taken; false where it is none. */
function completeModule({ cursor, into }: PropertyScene, module: string, first: string): boolean {
  let path = enteredModule(first, module);
  for (let token = cursor.next(); token !== undefined && path !== undefined; token = cursor.next()) {
    path = path === '' ? undefined : enteredModule(token.text, path);
  }
  if (path === undefined) return false;
  if (path !== '') offerModules(into, path);
  return true;
}

/** The words behind a verb up to those that say what it works on. */
function completeTarget(scene: PropertyScene, verb: Pick<Verb, 'objects' | 'phrases'>): void {
  const { cursor, into } = scene;
  const { objects } = verb;
  const types = objects === undefined ? [] : OBJECT_TYPES.filter((type) => objects.accepts?.(type) ?? true);
  const early = objects?.areOptionsAnywhere === true ? (objects.options ?? []) : [];
  const given = new Set<string>();
  let phrases = verb.phrases ?? [];
  let path: readonly string[] = [];
  let type: AnyObjectType | undefined;
  let isAll = false;
  while (type === undefined && !isAll) {
    const token = cursor.peek();
    if (token?.kind !== 'word' || token.isQuoted) break;
    const next = [...path, path.length === 0 ? token.text.replace(/^\/(?=.)/, '') : token.text];
    if (goesOn(types, phrases, next)) {
      path = next;
      type = types.find((candidate) => candidate.path === path.join(' '));
    } else if (goesOn(types, [], path) && early.some(({ word }) => word === token.text) && !given.has(token.text)) {
      given.add(token.text);
      phrases = [];
    } else if (goesOn(types, [], path) && objects?.takesModules === true && ALL_WORDS.includes(next.at(-1)!))
      isAll = true;
    else break;
    cursor.next();
  }
  const phrase = phrases.find(({ words }) => words.length === path.length && startsWith(words, path));
  const isAtCursor = cursor.peek() === undefined;
  if (isAtCursor && !cursor.isQuoted && !isAll && type === undefined) {
    offerPathWords(into, path, types, phrases);
    if (objects?.takesModules === true && goesOn(types, [], path)) into.add('Values', 'all', 'Every component.');
  }
  if (type !== undefined && objects !== undefined) completeObject(scene, type, objects, given);
  else if (phrase !== undefined) completePhrase(scene, phrase);
  else if ((objects?.takesModules === true || (early.length > 0 && isAtCursor)) && goesOn(types, [], path))
    completeOptions(scene, objects?.options ?? [], given);
  else if (!isAtCursor) into.refuse(`unexpected argument "${cursor.peek()!.text}"`);
}

/** Whether the words are the start of the path of a type or of a phrase. */
function goesOn(types: readonly AnyObjectType[], phrases: readonly Phrase[], start: readonly string[]): boolean {
  return (
    types.some(({ path }) => startsWith(path.split(' '), start)) ||
    phrases.some(({ words }) => startsWith(words, start))
  );
}

function startsWith(words: readonly string[], start: readonly string[]): boolean {
  return start.length <= words.length && start.every((word, index) => word === words[index]);
}

function offerPathWords(
  into: OfferCollector,
  path: readonly string[],
  types: readonly AnyObjectType[],
  phrases: readonly Phrase[],
): void {
  const title = path.length === 0 ? 'Modules' : 'Components';
  const slash = path.length === 0 && into.prefix.startsWith('/') ? '/' : '';
  // A word that several go on from is helped by naming them.
  const helps = new Map<string, string[]>();
  for (const { words, help } of [
    ...types.map((type) => ({ words: type.path.split(' '), help: type.help })),
    ...phrases,
  ]) {
    const word = words[path.length];
    if (word === undefined || !startsWith(words, path)) continue;
    const rest = words.slice(path.length + 1).join(' ');
    const known = helps.get(word) ?? [];
    helps.set(word, [...known, rest === '' ? help : rest]);
  }
  for (const [word, help] of [...helps].sort(byWord)) into.add(title, `${slash}${word}`, [...new Set(help)].join(', '));
}

function byWord([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function completePhrase(scene: PropertyScene, { operand, options = [], like }: Phrase): void {
  const { cursor } = scene;
  const { objects } = (like === undefined ? undefined : findVerb(like)) ?? {};
  if (objects !== undefined) {
    completeTarget(scene, { objects });
    return;
  }
  if (operand !== undefined) {
    const isLeftOut = operand.isOptional === true && options.some(({ word }) => word === cursor.peek()?.text);
    if (!isLeftOut && !completeOperand(scene, operand)) {
      if (operand.isOptional === true && cursor.peek() === undefined) completeOptions(scene, options);
      return;
    }
  }
  completeOptions(scene, options);
}

/** Options in any order, each once; nothing may follow them. */
function completeOptions(
  scene: PropertyScene,
  options: readonly OptionWord[],
  given: Set<string> = new Set<string>(),
): void {
  const { cursor, into } = scene;
  for (;;) {
    const token = cursor.next();
    if (token === undefined) {
      if (!cursor.isQuoted) offerOptions(into, options, given);
      return;
    }
    if (!takeOption(scene, options, token.text, given)) return;
  }
}

function offerOptions(into: OfferCollector, options: readonly OptionWord[], given: ReadonlySet<string>): void {
  for (const { word, help } of options) if (!given.has(word)) into.add('Options', word, help);
}

/** False where the cursor stands behind the option, or where it is none. */
function takeOption(scene: PropertyScene, options: readonly OptionWord[], word: string, given: Set<string>): boolean {
  const option = options.find((candidate) => candidate.word === word);
  if (option === undefined || given.has(word)) {
    scene.into.refuse(`unexpected argument "${word}"`);
    return false;
  }
  given.add(word);
  return option.value === undefined || completeOperand(scene, option.value);
}

/** False where it ends at the cursor. */
function completeOperand(scene: PropertyScene, operand: Operand, type?: AnyObjectType): boolean {
  const { cursor, into, configuration, folder } = scene;
  if (operand.kind === 'topic') {
    completeTopic(scene);
    return false;
  }
  const token = cursor.next();
  if (operand.kind === 'text') {
    while (cursor.next() !== undefined);
    into.addValue(operand.kind, operand.help);
    return false;
  }
  const isName = operand.kind === 'name' && type?.nameKind !== undefined;
  if (token !== undefined) return !isName || takeName(scene, type, token) !== undefined;
  if (isName) {
    offerNewName(scene, type);
    return false;
  }
  if (!cursor.isQuoted) {
    for (const word of operand.words ?? []) into.add('Values', word, '');
    const path = operand.of ?? type?.path;
    if (operand.kind === 'existing' && path !== undefined) offerObjects(into, configuration, [path], folder);
    if (operand.kind === 'folder') offerFolders(into, configuration, folder);
  }
  if (operand.kind === 'file') into.addFile(operand.kind, operand.help);
  else if (!['existing', 'folder'].includes(operand.kind) && operand.words === undefined)
    into.addValue(operand.kind, operand.help);
  return false;
}

/** What `help` takes: a verb, a module or a component, or one of these behind a verb. */
function completeTopic(scene: PropertyScene): void {
  const { cursor, into } = scene;
  const token = cursor.peek();
  if (token === undefined && !cursor.isQuoted) {
    for (const { name, help } of VERBS) into.add('Commands', name, help);
  }
  if (token !== undefined && findVerb(token.text) !== undefined) cursor.next();
  let path: readonly string[] = [];
  for (let next = cursor.next(); next !== undefined; next = cursor.next()) {
    path = [...path, path.length === 0 ? next.text.replace(/^\/(?=.)/, '') : next.text];
    if (!goesOn(OBJECT_TYPES, [], path)) {
      into.refuse(`unexpected argument "${next.text}"`);
      return;
    }
  }
  if (!cursor.isQuoted) offerPathWords(into, path, OBJECT_TYPES, []);
}

function completeObject(scene: PropertyScene, type: AnyObjectType, objects: Objects, given: Set<string>): void {
  if (objects.properties === 'edit') completeEdit(scene, type, objects);
  else if (objects.areOptionsAnywhere === true) completeSelection(scene, type, objects, given);
  else completeNames(scene, type, objects);
}

/** A name and properties; the brace may stand before either. */
function completeEdit(scene: PropertyScene, type: AnyObjectType, objects: Objects): void {
  const { cursor, into, configuration, folder } = scene;
  let isOpen = cursor.peek()?.kind === 'open' && cursor.next() !== undefined;
  const isNew = objects.names === 'new';
  let own;
  if (type.naming !== 'singleton') {
    const token = cursor.next();
    if (token === undefined) {
      if (isNew) offerNewName(scene, type);
      else if (!cursor.isQuoted) offerExisting(scene, type, objects);
      if (!isOpen && !cursor.isQuoted) into.add(DELIMITERS, '{', 'Starts the name and its properties.');
      return;
    }
    if (token.kind !== 'word') {
      into.refuse(`unexpected argument "${token.text}"`);
      return;
    }
    const whole = takeName(scene, type, token);
    if (whole === undefined) return;
    const name = nameOf(type, whole.text, folder);
    const problem = isNew ? namingProblem(type, name) : undefined;
    if (problem !== undefined) {
      into.refuse(`${whole.text} cannot be a name: ${problem}`);
      return;
    }
    own = configuration.objects.get(objectKey({ type: type.path, name }))?.own;
  } else own = configuration.objects.get(type.path)?.own;
  if (!isOpen && cursor.peek()?.kind === 'open') isOpen = cursor.next() !== undefined;
  const place = { brace: isOpen ? 'open' : 'optional', own, isNew, isNeverEmpty: !isNew } as const;
  if (!completeProperties(scene, type.properties, place)) return;
  const rest = cursor.next();
  if (rest !== undefined) into.refuse(`unexpected argument "${rest.text}"`);
}

/** Folders, as one writes them in `folder`. */
function offerFolders(into: OfferCollector, configuration: Configuration, folder: string): void {
  const leave = into.prefix.startsWith('/') ? undefined : folder;
  const names = [...foldersOf(configuration)].map((name) => relativeName(name, leave));
  into.addNames('Folders', names, () => '');
}

/** The name of an object, which may be several words; undefined where the cursor stands among them. */
function takeName(scene: PropertyScene, { nameKind, help }: AnyObjectType, first: Token): Token | undefined {
  if (nameKind === undefined || isPattern(first.text)) return first;
  return takeWhole(scene, nameKind, first, { kind: nameKind, help });
}

/** A full path starts with a folder, which is known. */
function offerNewName(scene: PropertyScene, type: AnyObjectType): void {
  const { into, configuration, cursor } = scene;
  const { nameKind, help } = type;
  if (nameKind !== undefined) {
    offerScalar(scene, nameKind, { kind: nameKind, help });
    return;
  }
  if (type.naming === 'full-path' && into.prefix.startsWith('/') && !cursor.isQuoted) {
    const starts = [...foldersOf(configuration)].map((name) => (name === ROOT ? ROOT : `${name}/`));
    const isStart = (name: string): boolean => name !== into.prefix && (name !== ROOT || type.twin !== undefined);
    into.addNames('Folders', starts.filter(isStart), () => '');
  }
  const place = type.naming === 'full-path' ? `, or a path as in ${fullPath('NAME')}` : '';
  into.addValue(`a name for the ${type.label}${place}`, type.help);
}

function offerExisting(scene: PropertyScene, type: AnyObjectType, { names, properties }: Objects): void {
  if (!hasObjects(scene, type)) return;
  offerObjects(scene.into, scene.configuration, [type.path], scene.folder);
  if (names === 'many' && hasObjectsNear(scene, type)) scene.into.add('Values', 'all', `Every ${type.label}.`);
  if (names === 'many' && properties !== 'edit') scene.into.add(DELIMITERS, '{', 'Starts several names.');
}

/** Whether there is something to be named; says so where there is not. */
function hasObjects({ configuration, into }: PropertyScene, type: AnyObjectType): boolean {
  for (const object of configuration.objects.values()) if (object.type === type.path) return true;
  into.addValue(`a name of a ${type.label}`, 'There is none yet.');
  return false;
}

/** Whether `all` names something: it stands for what lies in the folder. */
function hasObjectsNear({ configuration, folder }: PropertyScene, type: AnyObjectType): boolean {
  for (const object of configuration.objects.values()) {
    if (object.type === type.path && isNear(type, object.name, folder, false)) return true;
  }
  return false;
}

/** `list` and `show`: options and names in any order; `list` takes several names, and properties. */
function completeSelection(scene: PropertyScene, type: AnyObjectType, objects: Objects, given: Set<string>): void {
  const { cursor, into } = scene;
  const options = objects.options ?? [];
  const hasProperties = objects.properties === 'select';
  let isNamed = type.naming === 'singleton';
  for (;;) {
    const token = cursor.next();
    if (token === undefined) {
      if (cursor.isQuoted) return;
      if (!isNamed) offerExisting(scene, type, objects);
      for (const [word, { property }] of hasProperties ? vocabularyOf(type.properties) : []) {
        into.add('Properties', word, helpOf(property), given.has(word) ? 'given' : undefined);
      }
      offerOptions(into, options, given);
      return;
    }
    const isOption = options.some(({ word }) => word === token.text);
    if (token.kind === 'close' || (isNamed && !hasProperties && !isOption)) {
      into.refuse(`unexpected argument "${token.text}"`);
      return;
    }
    if (token.kind === 'open') {
      if (!completeNameList(scene, type)) return;
      isNamed = true;
    } else if (isOption) {
      if (!takeOption(scene, options, token.text, given)) return;
    } else if (hasProperties && vocabularyOf(type.properties).has(token.text)) given.add(token.text);
    else if (takeName(scene, type, token) === undefined) return;
    else isNamed = true;
  }
}

/** A name or several in braces, then an operand and options. */
function completeNames(scene: PropertyScene, type: AnyObjectType, objects: Objects): void {
  const { cursor, into } = scene;
  const options = (objects.options ?? []).filter((each) => each.inFolders !== true || type.naming === 'full-path');
  const isOption = (word: string | undefined) => options.some((option) => option.word === word);
  if (type.naming !== 'singleton' && !(objects.isNameOptional === true && isOption(cursor.peek()?.text))) {
    const token = cursor.next();
    if (token === undefined) {
      if (cursor.isQuoted) return;
      offerExisting(scene, type, objects);
      if (objects.isNameOptional === true) offerOptions(into, options, new Set());
      return;
    }
    if (token.kind === 'open' && objects.names === 'many') {
      if (!completeNameList(scene, type)) return;
    } else if (token.kind !== 'word') {
      into.refuse(`unexpected argument "${token.text}"`);
      return;
    } else if (takeName(scene, type, token) === undefined) return;
  }
  const isOperandGiven = objects.operand !== undefined && !isOption(cursor.peek()?.text);
  if (isOperandGiven && !completeOperand(scene, objects.operand, type)) {
    if (!cursor.isQuoted) offerOptions(into, options, new Set());
    return;
  }
  // An option behind the operand would be one too many.
  completeOptions(scene, isOperandGiven ? [] : options);
}

/** Names up to the closing brace. */
function completeNameList(scene: PropertyScene, type: AnyObjectType): boolean {
  const { cursor, into, configuration, folder } = scene;
  const given = new Set<string>();
  for (;;) {
    const token = cursor.next();
    if (token === undefined) {
      if (cursor.isQuoted) return false;
      if (given.size === 0 && !hasObjects(scene, type)) return false;
      offerObjects(into, configuration, [type.path], folder, (name) => !given.has(name));
      if (given.size > 0) into.add(DELIMITERS, '}', 'Ends the names.');
      return false;
    }
    if (token.kind === 'close') return true;
    if (token.kind === 'open') {
      into.refuse('unexpected argument "{"');
      return false;
    }
    const whole = takeName(scene, type, token);
    if (whole === undefined) return false;
    given.add(nameOf(type, whole.text, folder));
  }
}
