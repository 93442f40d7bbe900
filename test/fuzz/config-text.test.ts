// time-out: 900 s
// Mutated lines and files of configuration against a store in memory: refused as a whole with places, or accepted so that
// what is saved reads the same. WIDEPLANE_FUZZ_TEXTS says how many (100,000 otherwise, a million in the long form), and
// WIDEPLANE_FUZZ_SEED with which seed; a failure prints the text.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { emptyConfiguration } from '../../src/config/configuration.ts';
import type { Configuration } from '../../src/config/configuration.ts';
import { loadText } from '../../src/config/load-text.ts';
import { printConfiguration } from '../../src/config/print.ts';
import { Scanner } from '../../src/config/scanner.ts';
import { ConfigErrors } from '../../src/config/transaction.ts';
import { ConfigError, ConfigSyntaxError } from '../../src/core/errors.ts';
import type { TextPosition } from '../../src/core/errors.ts';
import { TextMutator } from './text-mutator.ts';
import type { Mutated } from './text-mutator.ts';

const { WIDEPLANE_FUZZ_TEXTS, WIDEPLANE_FUZZ_SEED, WIDEPLANE_LONG } = process.env;
const TEXTS = Number(WIDEPLANE_FUZZ_TEXTS ?? (WIDEPLANE_LONG === undefined ? 100_000 : 1_000_000));
const SEED = Number(WIDEPLANE_FUZZ_SEED ?? 20_261_124);

/** One text in so many is a whole file, and one in so many of those accepted is saved and read again. */
const FILES_EVERY = 400;
const SAVED_EVERY = 8;
/** What the heap may have grown by in the end: nothing is kept of a text. */
const HEAP_GROWTH_OCTETS = 16 << 20;

const OURS = `net interface 5.1 { device eth5 adapter packet-ring }
net interface 5.2 { device eth6 description "a \\"b\\" {c}" disabled }
# a comment in front
net vlan /Common/fuzz {
    customer-tag 7
    interfaces {
        5.1 { tagged tag-mode double }
        5.2 { }
    }
    mtu 1600
    tag 500
    x-unknown { a { b "c }" } }
}
net tunnels vxlan /Common/fp { defaults-from vxlan-multipoint port 5001 }
net tunnels tunnel /Common/ft {
    key 77
    local-address 192.0.2.11
    profile fp
    ttl 9
}
net vlan-group /Common/fg { members { ft fuzz } mode transparent }
net self /Common/fs { address 10.66.0.1/24 allow-service { tcp:443 udp:53 } vlan fg }
net arp /Common/10.66.0.9 { mac-address 0:1:2:3:4:5 }
net fdb tunnel /Common/ft {
    records {
        00:01:02:03:04:05 { endpoint 192.0.2.5 }
        ff:ff:ff:ff:ff:ff { endpoints { 192.0.2.5 192.0.2.6 } }
    }
}
ltm pool /Common/fpool { members { 203.0.113.2:http { } } monitor min 1 of { a b } }
sys db some.variable { value "x y" }
ltm rule /Common/fr {
when X { log "{ }" }
}
`;

const FILES = ['base', 'gtm', 'ltm', 'apm'].map((name) => readFileSync(`test/fixtures/bigip/${name}.conf`, 'utf8'));
const stanzasOf = (text: string): string[] =>
  text.split(/\n(?=[a-z#]+ [^\n]*\{[^\n]*\n)/).map((stanza) => `${stanza}\n`);
/** Stanzas of what is known more often than others. */
const SEEDS = [OURS, OURS, OURS, FILES[0]!, ...FILES].flatMap(stanzasOf);

const load = (text: string, into: Configuration): Configuration =>
  loadText(text, into, { mergeInto: into }).configuration;
const reload = (text: string): Configuration => loadText(text, emptyConfiguration()).configuration;

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

function isWithin(position: TextPosition | undefined, text: string): boolean {
  const line = position === undefined ? undefined : text.split('\n')[position.line - 1];
  return line !== undefined && position!.column >= 1 && position!.column <= line.length + 1;
}

/** The errors of a text; undefined when it is accepted. */
function errorsOf(
  text: string,
  into: Configuration,
  accepted: (result: Configuration) => void,
): ConfigErrors | undefined {
  try {
    accepted(load(text, into));
    return undefined;
  } catch (error) {
    if (error instanceof ConfigErrors) return error;
    throw error;
  }
}

/** Offset of the token before the one that a mutation is in. */
function tokenBefore(text: string, at: number): number {
  const scanner = new Scanner(text, undefined, { isFile: true });
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
function checkPlaces(original: string, { text, at }: Mutated, { errors }: ConfigErrors): void {
  const from = Math.min(tokenBefore(original, at), tokenBefore(text, at));
  for (const error of errors) {
    if (!(error instanceof ConfigSyntaxError) || error.message.includes('never closed')) continue;
    const offset = offsetOf(error.details.position!, text);
    assert.ok(offset >= from, `${error.message} at ${offset}, mutated at ${at}: ${JSON.stringify(text)}`);
  }
}

const collectGarbage = (): void => {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
};

describe('mutated configuration', () => {
  it(`${TEXTS} texts: no crash, nothing by halves, places within the text, bounded memory`, () => {
    const running = frozen(reload(OURS));
    const before = printConfiguration(running, '1');
    const mutator = new TextMutator(SEED);
    const { random } = mutator;
    const valid = new Map<string, boolean>();
    const isValid = (text: string): boolean => {
      const known = valid.get(text) ?? errorsOf(text, running, () => undefined) === undefined;
      if (valid.size < 1000) valid.set(text, known);
      return known;
    };
    let accepted = 0;
    let syntax = 0;
    let heapAtStart = 0;
    for (let index = 0; index < TEXTS; index++) {
      if (index === Math.min(2000, TEXTS >> 2)) {
        collectGarbage();
        heapAtStart = process.memoryUsage().heapUsed;
      }
      const isFile = index % FILES_EVERY === 0;
      const original = isFile ? random.pick(FILES) : random.pick(SEEDS) + (random.chance(30) ? random.pick(SEEDS) : '');
      let mutated = mutator.mutate(original, random.pick(SEEDS));
      const isSingle = random.chance(60);
      for (let more = isSingle ? 0 : random.below(4); more > 0; more--) {
        mutated = mutator.mutate(mutated.text, random.pick(SEEDS));
      }
      const { text } = mutated;
      try {
        const refused = errorsOf(text, running, (result) => {
          if (accepted++ % SAVED_EVERY !== 0) return;
          const saved = printConfiguration(result, '1');
          assert.equal(printConfiguration(reload(saved), '1'), saved);
        });
        for (const error of refused?.errors ?? []) {
          assert.ok(error instanceof ConfigSyntaxError || error instanceof ConfigError);
          if (error.details.position !== undefined) assert.ok(isWithin(error.details.position, text), error.message);
          if (error instanceof ConfigSyntaxError) syntax++;
        }
        const isOfText = (text.match(/\n/g)?.length ?? 0) < 60 && !text.startsWith('\uFEFF') && !text.includes('\r');
        if (refused !== undefined && isSingle && isOfText && !isFile && isValid(original)) {
          checkPlaces(original, mutated, refused);
        }
      } catch (error) {
        throw new Error(`text ${index} of seed ${SEED}: ${JSON.stringify(text)}`, { cause: error });
      }
      if (index % 20_000 === 0) assert.equal(printConfiguration(running, '1'), before);
    }
    assert.equal(printConfiguration(running, '1'), before);
    collectGarbage();
    const growth = process.memoryUsage().heapUsed - heapAtStart;
    assert.ok(growth < HEAP_GROWTH_OCTETS, `the heap has grown by ${growth} octets`);
    assert.ok(accepted > TEXTS * 0.1, `${accepted} of ${TEXTS} were accepted: the test says little`);
    assert.ok(syntax > TEXTS * 0.1, `only ${syntax} errors of syntax in ${TEXTS} texts`);
  });

  it('a wrong value, brace or word is reported at its line and column', () => {
    const running = load(OURS, reload(FILES[0]!));
    const known = stanzasOf(OURS).filter((stanza) => /^net |^ltm pool/.test(stanza));
    let checked = 0;
    for (const stanza of known) {
      const lines = stanza.split('\n');
      for (const [index, line] of lines.entries()) {
        const value = /\b(mtu|tag|customer-tag|port|key|ttl|mode|adapter|local-address|tag-mode) ([^\s{}]+)/.exec(line);
        if (value === null) continue;
        const column = value.index + value[1]!.length + 2;
        for (const bad of ['<bad>', '{ bad', '"b a d']) {
          const changed = line.slice(0, column - 1) + bad + line.slice(column - 1 + value[2]!.length);
          const text = lines.with(index, changed).join('\n');
          const refused = errorsOf(text, running, () => undefined);
          const places = refused?.errors.map(({ details }) => `${details.position?.line}:${details.position?.column}`);
          assert.ok(places?.includes(`${index + 1}:${column}`), `${changed}: ${places?.join(' ')}`);
          checked++;
        }
      }
    }
    assert.ok(checked >= 30, `${checked} places`);
  });
});
