// Mutated texts and command lines against a configuration in memory: refused as a whole with places, or accepted so that what
// is saved reads the same. Nothing may fail otherwise, and the configuration that runs must stay what it is.

import assert from 'node:assert/strict';
import { emptyConfiguration } from '../../src/config/configuration.ts';
import type { Configuration } from '../../src/config/configuration.ts';
import { loadText } from '../../src/config/load-text.ts';
import { printConfiguration } from '../../src/config/print.ts';
import { Scanner } from '../../src/config/scanner.ts';
import { ConfigErrors } from '../../src/config/transaction.ts';
import { ConfigError, ConfigSyntaxError } from '../../src/core/errors.ts';
import type { TextPosition } from '../../src/core/errors.ts';
import { StoreError } from '../../src/store/atomic-file.ts';
import { describeCommandError } from '../../src/tmsh/command-error.ts';
import { complete } from '../../src/tmsh/complete.ts';
import { commandsOf } from '../../src/tmsh/sequence.ts';
import { TmshSession } from '../support/tmsh-session.ts';
import { COMMANDS, FILES, OURS, STANZAS } from './config-seeds.ts';
import { TextMutator } from './text-mutator.ts';
import type { Mutated } from './text-mutator.ts';

export type Tally = {
  /** Texts and command lines. */
  texts: number;
  accepted: number;
  /** Errors of syntax. */
  syntax: number;
  /** Errors of syntax whose place was compared with the mutation's. */
  placed: number;
  /** What the heap has grown by since it was warm. */
  heapGrowthOctets: number;
};

/** One text in so many is a whole file, and one in so many of those accepted is saved and read again. */
const FILES_EVERY = 400;
const SAVED_EVERY = 8;
/** So many percent are command lines. */
const COMMANDS_PERCENT = 70;
/** So many percent of the command lines are completed somewhere as well. */
const COMPLETED_PERCENT = 10;
const WARM_UP = 2000;
const LOOK_EVERY = 20_000;

const load = (text: string, into: Configuration): Configuration =>
  loadText(text, into, { mergeInto: into }).configuration;
export const reload = (text: string): Configuration => loadText(text, emptyConfiguration()).configuration;

/** The errors of a text; undefined when it is accepted. */
export function errorsOf(
  text: string,
  into: Configuration,
  accepted: (result: Configuration) => void = () => undefined,
): ConfigErrors['errors'] | undefined {
  try {
    accepted(load(text, into));
    return undefined;
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors;
    throw error;
  }
}

/** tmsh on a configuration that cannot be changed, only replaced. */
class FuzzSession extends TmshSession {
  constructor() {
    super();
    this.replies = [{ rows: [{ name: '/Common/ft', stats: { Packets: 1 } }] }];
    this.files.set('ours', OURS).set('version 1', OURS);
  }

  override read(file = 'own'): Promise<{ path: string; text: string }> {
    const text = this.files.get(file);
    return text === undefined
      ? Promise.reject(new StoreError(file, 'open', 'ENOENT', `there is no file ${file}`))
      : Promise.resolve({ path: file, text });
  }

  override save(file = 'own'): Promise<string> {
    return Promise.resolve(file);
  }

  override show(): ReturnType<TmshSession['show']> {
    return Promise.resolve(this.replies[0]!);
  }

  override resetStats(): Promise<number> {
    return Promise.resolve(1);
  }

  /** The errors of a command line; undefined when it is accepted. */
  async errorsOf(command: string): Promise<ConfigErrors['errors'] | undefined> {
    try {
      await this.run(command);
      return undefined;
    } catch (error) {
      assert.notEqual(describeCommandError(error, command, 'command 1'), '');
      if (error instanceof ConfigErrors) return error.errors;
      if (error instanceof ConfigError || error instanceof ConfigSyntaxError) return [error];
      if (error instanceof StoreError) return [];
      throw error;
    }
  }
}

/** Runs so many mutations; throws for the first that finds something, with its text. */
export async function fuzz(seed: number, count: number, collectGarbage: () => void): Promise<Tally> {
  const running = frozen(reload(OURS));
  const before = printConfiguration(running, '1');
  const mutator = new TextMutator(seed);
  const { random } = mutator;
  const session = new FuzzSession();
  const tally: Tally = {
    texts: 0,
    accepted: 0,
    syntax: 0,
    placed: 0,
    heapGrowthOctets: 0,
  };
  const valid = new Map<string, boolean>();
  let warmOctets = 0;

  const save = (result: Configuration): void => {
    if (result === running || tally.accepted % SAVED_EVERY !== 0) return;
    const saved = printConfiguration(result, '1');
    assert.equal(printConfiguration(reload(saved), '1'), saved);
  };
  const mutate = (original: string, others: readonly string[]): { mutated: Mutated; isSingle: boolean } => {
    let mutated = mutator.mutate(original, random.pick(others));
    const isSingle = random.chance(60);
    for (let more = isSingle ? 0 : random.below(4); more > 0; more--)
      mutated = mutator.mutate(mutated.text, random.pick(others));
    return { mutated, isSingle };
  };
  const reset = (): void => {
    session.configuration = running;
    session.session.folder = '/Common';
    delete session.session.batch;
  };
  const runLine = async (line: string): Promise<ConfigErrors['errors'] | undefined> => {
    reset();
    const errors = await session.errorsOf(line);
    if (errors === undefined) {
      tally.accepted++;
      save(session.configuration);
    } else if (commandsOf(line).length <= 1) assert.equal(session.configuration, running, 'half of it was done');
    return errors;
  };
  const loadMutated = (text: string): ConfigErrors['errors'] | undefined =>
    errorsOf(text, running, (result) => {
      tally.accepted++;
      save(result);
    });
  const check = (text: string, errors: ConfigErrors['errors'] | undefined): void => {
    for (const error of errors ?? []) {
      const { position } = error.details;
      if (error instanceof ConfigSyntaxError) tally.syntax++;
      // A file that a command names has places of its own.
      if (position !== undefined && position.file !== 'ours') assert.ok(isWithin(position, text), error.message);
    }
  };
  /** Whether an unchanged text is accepted, so that what is wrong with a mutation of it is the mutation. */
  const isValid = async (text: string, isLine: boolean): Promise<boolean> => {
    const key = `${isLine} ${text}`;
    let known = valid.get(key);
    if (known === undefined) {
      reset();
      known = (isLine ? await session.errorsOf(text) : errorsOf(text, running)) === undefined;
      if (valid.size < 1000) valid.set(key, known);
    }
    return known;
  };

  for (let index = 0; index < count; index++) {
    if (index === Math.min(WARM_UP, count >> 2)) {
      collectGarbage();
      warmOctets = process.memoryUsage().heapUsed;
    }
    tally.texts++;
    const isLine = random.chance(COMMANDS_PERCENT);
    const isFile = !isLine && index % FILES_EVERY < 2;
    const original = isLine ? random.pick(COMMANDS) : isFile ? random.pick(FILES) : twoOf(random);
    const { mutated, isSingle } = mutate(original, isLine ? COMMANDS : STANZAS);
    const { text } = mutated;
    try {
      const errors = isLine ? await runLine(text) : loadMutated(text);
      check(text, errors);
      if (isLine && random.chance(COMPLETED_PERCENT))
        checkCompletion(text.slice(0, random.below(text.length + 1)), running);
      if (errors !== undefined && isSingle && !isFile && isPlain(text) && (await isValid(original, isLine)))
        tally.placed += checkPlaces(original, mutated, errors, !isLine);
    } catch (error) {
      const what = isLine ? 'line' : 'text';
      throw new Error(`${what} ${index} of seed ${seed}: ${JSON.stringify(text)}`, { cause: error });
    }
    if (index % LOOK_EVERY === 0) assert.equal(printConfiguration(running, '1'), before);
  }
  assert.equal(printConfiguration(running, '1'), before);
  reset();
  collectGarbage();
  tally.heapGrowthOctets = process.memoryUsage().heapUsed - warmOctets;
  return tally;
}

function twoOf(random: TextMutator['random']): string {
  return random.pick(STANZAS) + (random.chance(30) ? random.pick(STANZAS) : '');
}

/** Whether places in the text are those of the text that is read, and it is short enough to be looked at closely. */
function isPlain(text: string): boolean {
  return (text.match(/\n/g)?.length ?? 0) < 60 && !text.startsWith('\uFEFF') && !text.includes('\r');
}

function checkCompletion(text: string, configuration: Configuration): void {
  const { replaces, count } = complete(text, { configuration, module: 'net' });
  assert.ok(replaces >= 0 && replaces <= text.length && count >= 0);
}

/** A configuration in which no value can be changed unnoticed. */
function frozen(configuration: Configuration): Configuration {
  const freeze = (value: unknown): void => {
    // A packed table holds typed arrays, which cannot be frozen.
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return;
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  };
  for (const object of configuration.objects.values()) freeze(object);
  for (const view of configuration.views.values()) freeze(view);
  freeze(configuration.unknown);
  return configuration;
}

function isWithin(position: TextPosition, text: string): boolean {
  const line = text.split('\n')[position.line - 1];
  return line !== undefined && position.column >= 1 && position.column <= line.length + 1;
}

/** Offset of the token before the one that a mutation is in. */
function tokenBefore(text: string, at: number, isFile: boolean): number {
  const scanner = new Scanner(text, undefined, isFile ? { isFile } : {});
  const starts = [0, 0];
  try {
    for (let token = scanner.next(); token !== undefined && token.start <= at; token = scanner.next()) {
      starts.push(token.start);
    }
  } catch (error) {
    if (!(error instanceof ConfigSyntaxError)) throw error;
  }
  return starts.at(-2)!;
}

function offsetOf({ line, column }: TextPosition, text: string): number {
  let start = 0;
  for (let at = 1; at < line; at++) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}

/** A valid text up to a place has no error of syntax before that place, but the braces that it leaves open. */
function checkPlaces(original: string, { text, at }: Mutated, errors: ConfigErrors['errors'], isFile: boolean): number {
  const from = Math.min(tokenBefore(original, at, isFile), tokenBefore(text, at, isFile));
  let checked = 0;
  for (const error of errors) {
    if (!(error instanceof ConfigSyntaxError) || error.message.includes('never closed')) continue;
    const offset = offsetOf(error.details.position!, text);
    assert.ok(offset >= from, `${error.message} at ${offset}, mutated at ${at}: ${JSON.stringify(text)}`);
    checked++;
  }
  return checked;
}
