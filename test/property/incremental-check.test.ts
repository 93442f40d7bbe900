// A change is checked with what is remembered of the checks before it; the verdict is that of a check that remembers nothing.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { objectKey } from '../../src/config/change.ts';
import { materialise } from '../../src/config/configuration.ts';
import type { Configuration, StoredObject } from '../../src/config/configuration.ts';
import { RecordTable } from '../../src/config/record-table.ts';
import { ConfigErrors, Transaction } from '../../src/config/transaction.ts';
import { validate } from '../../src/config/validate.ts';
import { viewChanges } from '../../src/config/view-changes.ts';
import { isList, isTable } from '../../src/config/value.ts';
import type { Properties, Value } from '../../src/config/value.ts';
import { ConfigError, ConfigSyntaxError } from '../../src/core/errors.ts';
import { emptyBatch } from '../../src/tmsh/batch.ts';
import type { Batch } from '../../src/tmsh/batch.ts';
import { anyCommand, FIRST_COMMANDS, WIDE_IP_COMMANDS } from '../support/config-commands.ts';
import { TmshSession } from '../support/tmsh-session.ts';

/** Something of each type, in use: a change may then break what it does not touch. */
const START = [
  ...FIRST_COMMANDS,
  ...WIDE_IP_COMMANDS,
  'create net vlan a interfaces add { 1.2 }',
  'create net vlan b interfaces add { 1.2 { tagged } }',
  'create net tunnels vxlan q { defaults-from vxlan-multipoint port 5000 }',
  'create net tunnels gre g encapsulation transparent-ethernet-bridging',
  'create net tunnels tunnel c { local-address 10.1.1.1 remote-address any profile q key 1 }',
  'create net tunnels tunnel /Common/d { local-address 10.1.1.1 remote-address 10.1.1.2 profile g key 2 }',
  'modify net fdb tunnel c records add { 00:00:00:00:00:02 { endpoint 10.1.1.2 } }',
  'create net vlan-group /Other/e members add { a c }',
  'create net route-domain 5 vlans add { b }',
  'create net route wan { network default gw 10.1.1.9 }',
  // A warning that comes again with each change, and enough VLANs for a place of a new one to be looked up among them.
  'create net tunnels vxlan m { defaults-from vxlan flooding-type multicast port 5001 }',
  'create net tunnels tunnel m { local-address 10.1.1.1 remote-address any profile m key 1 }',
  'create ltm profile dns p',
  'create gtm listener p { address 10.1.1.1 profiles add { p } }',
  'create gtm zone x.test { records { @/soa { data { "ns1 h 1 2 3 4 5" } } @/ns { data { ns1 } } ns1/a { data { 192.0.2.53 } } } }',
  ...Array.from({ length: 24 }, (_, index) => `create net vlan ${'abc'[index % 3]}${index}`),
];

/** Each step is one change of as many commands as it has. */
const steps = fc.array(fc.array(anyCommand, { minLength: 1, maxLength: 3 }), {
  minLength: 10,
  maxLength: 40,
  size: 'max',
});

const noPositions = new Map<string, never>();

function copyOfValue(value: Value): Value {
  if (typeof value !== 'object') return value;
  if (isList(value)) return [...value];
  if (!isTable(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, record]) => [key, copyOfProperties(record)]));
  }
  const { high, low, content } = value.columns;
  const columns = {
    high: high.slice(),
    low: low.slice(),
    content: content.slice(),
  };
  return new RecordTable(columns, value.contents.map(copyOfProperties));
}

function copyOfProperties(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, copyOfValue(value)]));
}

/** Copies configurations so that objects which two of them share are shared by the copies too, and by nothing else. */
class Copier {
  readonly #copies = new Map<StoredObject, StoredObject>();

  copy({ objects, unknown }: Configuration, before: Configuration | undefined): Configuration {
    const copies = new Map([...objects].map(([key, object]) => [key, this.#copy(object)]));
    return { objects: copies, views: materialise(copies, before), unknown };
  }

  #copy(object: StoredObject): StoredObject {
    let copy = this.#copies.get(object);
    if (copy === undefined) {
      copy = { ...object, own: copyOfProperties(object.own) };
      this.#copies.set(object, copy);
    }
    return copy;
  }
}

type Verdict = {
  errors: object[];
  warnings: object[];
  order: readonly string[];
};

const plainError = (error: ConfigError | ConfigSyntaxError): object => {
  const details = { ...error.details, position: undefined };
  return {
    name: error.name,
    text: error.message,
    ...(error instanceof ConfigError ? { code: error.code } : {}),
    ...details,
  };
};

function verdictOf(before: Configuration, after: Configuration): Verdict {
  const { errors, warnings } = validate(before, after, noPositions);
  const { byType } = viewChanges(before.views, after.views);
  const order = [...byType.values()].flatMap((views) => views.map(objectKey));
  return { errors: errors.map(plainError), warnings: [...warnings], order };
}

/** Follows changes as configd does. */
class Follower {
  readonly session = new TmshSession();

  /** What one change leads to, valid or not, and what the transaction said of it. */
  async make(commands: readonly string[]): Promise<{ after: Configuration; errors: object[] }> {
    const { session } = this;
    const before = session.configuration;
    const batch: Batch = emptyBatch();
    session.session.batch = batch;
    for (const command of commands) await session.refusal(command);
    delete session.session.batch;
    const transaction = new Transaction(before);
    for (const { change } of batch.commands) {
      try {
        change(transaction);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
      }
    }
    let errors: object[] = [];
    try {
      session.commit(transaction.finish());
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      errors = error.errors.map(plainError);
    }
    const { objects } = transaction;
    const { configuration } = session;
    if (configuration !== before) return { after: configuration, errors };
    return {
      after: {
        objects,
        views: materialise(objects, before),
        unknown: before.unknown,
      },
      errors,
    };
  }
}

/** The kind of a text: without the names and numbers in it. */
const kindOf = (text: string): string => text.replace(/\([^)]*\)|\/\S+|[0-9][0-9a-f.:%/]*/g, '…');

describe('the verdict on a change', () => {
  it('is the same, in the same order, whether or not checks before it are remembered', async (context) => {
    const kinds = new Set<string>();
    const counts = { valid: 0, invalid: 0 };
    await fc.assert(
      fc.asyncProperty(steps, async (changes) => {
        const follower = new Follower();
        for (const commands of [START, ...changes]) {
          const before = follower.session.configuration;
          const { after, errors } = await follower.make(commands);
          const remembering = verdictOf(before, after);
          assert.deepEqual(remembering.errors, errors);
          const copier = new Copier();
          const freshBefore = copier.copy(before, undefined);
          const fresh = verdictOf(freshBefore, copier.copy(after, freshBefore));
          assert.deepEqual(remembering, fresh);
          for (const error of errors) kinds.add(kindOf((error as { text: string }).text));
          counts[errors.length === 0 ? 'valid' : 'invalid']++;
        }
      }),
      { numRuns: 80 },
    );
    const seen = `${JSON.stringify(counts)}, ${kinds.size} kinds of errors`;
    assert.ok(counts.valid > 500 && counts.invalid > 400, `${seen}: too few to say much`);
    assert.ok(kinds.size > 25 && [...kinds].some((kind) => kind.includes('in use')), `${seen}: too few to say much`);
    context.diagnostic(seen);
  });
});
