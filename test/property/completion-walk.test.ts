// Every position of every command, from the empty line: each verb, phrase, option, type, property, enumeration and list
// operation is offered somewhere, something is offered everywhere, and the parser takes each word that is.
// time-out: 1200 s

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Configuration } from '../../src/config/configuration.ts';
import { OBJECT_TYPES } from '../../src/config/object-types.ts';
import type { PropertyMap } from '../../src/config/property.ts';
import { blockVerbs, unsetWords, vocabularyOf } from '../../src/config/read-properties.ts';
import { complete } from '../../src/tmsh/complete.ts';
import { DELIMITERS } from '../../src/tmsh/completion.ts';
import type { Completion } from '../../src/tmsh/completion.ts';
import { VERBS } from '../../src/tmsh/verbs.ts';
import { VALUES, complaint, network } from '../support/completion-network.ts';
import type { TmshSession } from '../support/tmsh-session.ts';

/** Words of a command; the deepest place is a property of a record of a list. */
const DEEPEST = 28;

class Walk {
  /** Command up to a place → what is offered there. */
  readonly offers = new Map<string, readonly string[]>();
  readonly faults: string[] = [];
  readonly #session: TmshSession;
  readonly #before: Configuration;

  constructor(session: TmshSession) {
    this.#session = session;
    this.#before = session.configuration;
  }

  async from(text: string, depth = 0): Promise<void> {
    const found = this.#ask(text);
    const words = found.groups.flatMap(({ offers }) => offers.map((offer) => offer.text));
    this.offers.set(text, words);
    if (found.problem !== undefined) this.faults.push(`${text}: ${found.problem}`);
    if (words.length === 0 && found.values.length === 0 && !(await this.#isComplete(text)))
      this.faults.push(`${text}: nothing is offered, and the command is not complete`);
    for (const word of words) await this.#check(text, word);
    if (depth >= DEEPEST) this.faults.push(`${text}: does not end`);
    else for (const word of this.#waysOn(text, found)) await this.from(`${text}${word} `, depth + 1);
  }

  #ask(text: string): Completion {
    return complete(text, { configuration: this.#before });
  }

  /** Behind a property, an option or an item only the way out is new. */
  #waysOn(text: string, { groups, values }: Completion): string[] {
    const offered = groups.flatMap(({ offers }) => offers);
    const isWithin = offered.some((offer) => offer.text === '}');
    const isBehind = offered.some(({ mark }) => mark === 'given') || (isWithin && !text.endsWith('{ '));
    const ways: string[] = [];
    for (const { title, offers } of groups) {
      const words = offers.map((offer) => offer.text).filter((word) => !isWayAround(text, word));
      if (words.length === 0) continue;
      if (title === DELIMITERS) ways.push(...words);
      else if (isBehind || (title === 'Options' && this.#hasOption(text, words))) continue;
      else if (title.endsWith(' names') || title === 'Folders' || isAnywhere(title, text)) ways.push(words[0]!);
      else if (isSecondStatement(text)) ways.push(words[0]!);
      else ways.push(...words);
    }
    if (values.length === 0 || isBehind || values.some(({ expects }) => expects === 'text')) return ways;
    const value = VALUES.find((each) => this.#ask(`${text}${each} `).problem === undefined);
    return value === undefined ? ways : [...ways, value];
  }

  /** Whether an option was written: others beside it are not offered otherwise than at first. */
  #hasOption(text: string, offered: readonly string[]): boolean {
    const options = VERBS.flatMap(({ objects, phrases = [] }) => [objects, ...phrases]).flatMap(
      (each) => each?.options ?? [],
    );
    return text.split(' ').some((word) => options.some((option) => option.word === word) && !offered.includes(word));
  }

  async #check(text: string, word: string): Promise<void> {
    this.#reset();
    const against = await complaint(this.#session, text + word, text.length);
    if (against !== undefined) this.faults.push(`${text}${word}: ${against}`);
  }

  async #isComplete(text: string): Promise<boolean> {
    this.#reset();
    return (await this.#session.refusal(text))?.startsWith('Syntax Error') !== true;
  }

  #reset(): void {
    this.#session.configuration = this.#before;
    delete this.#session.session.batch;
    this.#session.session.folder = '/Common';
  }
}

/** Options and properties that are only chosen, as those of `list`, lead all to the same, and none takes a value. */
function isAnywhere(title: string, text: string): boolean {
  return (
    ['Options', 'Properties'].includes(title) &&
    VERBS.some(({ name, objects }) => objects?.areOptionsAnywhere && text.startsWith(name))
  );
}

/** Large types are walked through without braces around name and properties, and for one name: smaller ones show the rest. */
function isWayAround(text: string, word: string): boolean {
  const type = '(?:server|region|distributed-app|(?:pool|wideip) [a-z]+)';
  return ['all', '{'].includes(word) && new RegExp(`^(?:create|modify) gtm ${type}(?: [^ {}]+)? $`).test(text);
}

/** In the name of a topology record: what may stand in its second half is what may stand in the first. */
function isSecondStatement(text: string): boolean {
  return / server: (?:not )?[a-z]* ?$/.test(text);
}

/** What must be offered somewhere behind `place`: path of properties → the words at each of them. */
function* expectedWords(map: PropertyMap, place: string): Generator<[place: RegExp, words: string[]]> {
  yield [new RegExp(`${place}$`), [...vocabularyOf(map).keys()]];
  for (const [name, property] of Object.entries(map)) {
    const { kind } = property;
    const at = `${place}${name} `;
    if (kind.shape === 'scalar') yield [new RegExp(`${at}$`), [...(kind.words ?? []), ...unsetWords(kind, property)]];
    if (kind.shape === 'list' || kind.shape === 'records')
      yield [new RegExp(`${at}$`), [...blockVerbs(kind, 'command'), '{']];
    if (kind.shape === 'list') yield [new RegExp(`${at}replace-all-with \\{ $`), kind.item.words?.slice() ?? []];
    if (kind.shape === 'records')
      yield* expectedWords(kind.properties, `${at}(?:add |replace-all-with )?\\{ [^{}]+ \\{ `);
  }
}

describe('every position of a command', { timeout: 580_000 }, () => {
  it('offers something, and what it offers is taken; nothing that there is is left out', async () => {
    const walk = new Walk(await network());
    await walk.from('');
    assert.deepEqual(walk.faults, []);

    const missing: string[] = [];
    let offers = [...walk.offers];
    const expect = (place: RegExp, words: readonly string[]): void => {
      const offered = new Set(offers.filter(([text]) => place.test(text)).flatMap(([, each]) => each));
      for (const word of words) if (!offered.has(word)) missing.push(`${place.source}: ${word}`);
    };
    expect(
      /^$/,
      VERBS.map(({ name }) => name),
    );
    for (const { name, objects, phrases = [] } of VERBS) {
      const ofVerb = [...walk.offers].filter(([text]) => text.startsWith(`${name} `));
      offers = ofVerb;
      for (const { words, options = [] } of phrases) {
        for (const [index, word] of words.entries())
          expect(new RegExp(`^${[name, ...words.slice(0, index)].join(' ')} $`), [word]);
        expect(
          new RegExp(`^${[name, ...words].join(' ')} `),
          options.map(({ word }) => word),
        );
      }
      if (objects === undefined) continue;
      for (const type of OBJECT_TYPES.filter((each) => objects.accepts?.(each) ?? true)) {
        const words = type.path.split(' ');
        offers = ofVerb;
        for (const [index, word] of words.entries())
          expect(new RegExp(`^${[name, ...words.slice(0, index)].join(' ')} $`), [word]);
        offers = ofVerb.filter(([text]) => text.startsWith(`${name} ${type.path} `));
        const options = (objects.options ?? []).filter(
          ({ inFolders }) => inFolders !== true || type.naming === 'full-path',
        );
        expect(
          new RegExp(`^${name} ${type.path} `),
          options.map(({ word }) => word),
        );
        if (objects.properties === 'select')
          expect(new RegExp(`^${name} ${type.path} $`), [...vocabularyOf(type.properties).keys()]);
        const someName = type.naming === 'singleton' ? '' : '[^{}]+ ';
        if (objects.properties === 'edit' && (objects.names === 'new' || walk.offers.has(`${name} ${type.path} `)))
          for (const [place, each] of expectedWords(type.properties, `^${name} ${type.path} ${someName}`))
            expect(place, each);
      }
    }
    assert.deepEqual(missing, []);
  });
});
