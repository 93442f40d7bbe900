// Whatever completion offers at a position, the parser takes there; and what the parser takes, completion lets pass.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ConfigError, ConfigSyntaxError } from '../../src/core/errors.ts';
import { complete } from '../../src/tmsh/complete.ts';
import type { Completion } from '../../src/tmsh/completion.ts';
import { TmshSession } from '../support/tmsh-session.ts';

const VALUES = ['7', '1500', '10.1.1.7', '10.3.0.0/16', '02:00:00:00:00:09', 'fresh', 'own', '"some text"', 'tcp:443'];

async function network(): Promise<TmshSession> {
  const session = new TmshSession();
  session.replies = [{ rows: [] }];
  session.files.set('own', '');
  await session.run(
    'create net interface 1.1 { device eth1 }',
    'create net interface 1.2 { device eth2 }',
    'create net vlan wan { interfaces add { 1.1 } }',
    'create auth partition Other',
    'create net vlan /Other/inside { interfaces add { 1.2 { tagged } } tag 7 }',
    'create net self s1 { address 10.1.1.1/24 vlan wan allow-service { tcp:22 } }',
    'create net tunnels vxlan p { defaults-from vxlan port 5000 }',
    'create net tunnels tunnel t1 { local-address 10.1.1.1 remote-address any profile vxlan-multipoint key 3 }',
    'modify net fdb tunnel t1 records add { 02:00:00:00:00:01 { endpoint 10.1.1.5 } }',
    'create net vlan-group g { members { /Other/inside t1 } }',
  );
  return session;
}

/** What can be typed next: offers, and values that the engine lets pass. */
function choices(text: string, found: Completion, complete: (text: string) => Completion): string[] {
  const words = found.groups.flatMap(({ offers }) => offers.map((offer) => offer.text));
  // Text may be anything to completion, though not to each verb.
  if (found.values.every(({ expects }) => expects === 'text')) return words;
  return [...words, ...VALUES.filter((value) => complete(`${text}${value} `).problem === undefined)];
}

/** What the parser says against the last word; undefined: nothing, or only that something is still missing. */
async function complaint(session: TmshSession, text: string, start: number): Promise<string | undefined> {
  try {
    await session.run(text);
  } catch (error) {
    if (error instanceof ConfigSyntaxError) {
      const column = error.details.position!.column - 1;
      return error.message.includes('unexpected argument') && column <= start ? error.message : undefined;
    }
    // A value that cannot be read, or an object that is not there.
    if (error instanceof ConfigError && error.details.position?.column === start + 1) {
      const isTaken = error.code === 'alreadyExists' || error.code === 'missingProperty' || error.code === 'inUse';
      return isTaken || error.code === 'protectedObject' ? undefined : error.message;
    }
  }
  return undefined;
}

describe('completion', () => {
  it('offers only what the parser takes at that position', async () => {
    const session = await network();
    const before = session.configuration;
    const ask = (text: string) => complete(text, { configuration: before });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(10_000), { minLength: 2, maxLength: 14 }), async (picks) => {
        let text = '';
        for (const pick of picks) {
          const found = ask(text);
          assert.equal(found.problem, undefined, text);
          const words = choices(text, found, ask);
          if (words.length === 0) return;
          const start = text.length;
          text += words[pick % words.length]!;
          session.configuration = before;
          delete session.session.batch;
          session.session.folder = '/Common';
          const against = await complaint(session, text, start);
          assert.equal(against, undefined, `${text}: ${against}`);
          text += ' ';
        }
      }),
      { numRuns: 1500, includeErrorInReport: true },
    );
  });

  it('offers a word when only its start is typed, and nothing that starts otherwise', async () => {
    const { configuration } = await network();
    const ask = (text: string) => complete(text, { configuration });
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 10 }), fc.nat(30), (picks, length) => {
        let text = '';
        for (const pick of picks) {
          const words = choices(text, ask(text), ask);
          if (words.length === 0) break;
          const word = words[pick % words.length]!;
          const isWord = !/^["{}]/.test(word);
          const start = word.slice(0, length % word.length);
          if (isWord && !VALUES.includes(word) && start !== '') {
            const found = ask(text + start);
            const offered = found.groups.flatMap(({ offers }) => offers.map((offer) => offer.text));
            assert.ok(offered.includes(word), `${text}${start}: ${word} is not offered`);
            assert.ok(offered.every((each) => each.startsWith(start)));
            assert.ok(found.count === 0 || found.common.startsWith(start));
            assert.ok(offered.some((each) => each.startsWith(found.common)));
            assert.equal(found.replaces, start.length);
          }
          text += `${word} `;
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('never fails, whatever is typed', async () => {
    const { configuration } = await network();
    const piece = fc.oneof(
      fc.constantFrom(
        'create',
        'modify',
        'list',
        'net',
        'vlan',
        'tunnels',
        'tunnel',
        'records',
        'add',
        '{',
        '}',
        '"',
        '\\',
        '\n',
      ),
      fc.constantFrom('interfaces', '1.1', 'wan', '__proto__', 'constructor', 'all', 'none', '/', '?', '#', '%'),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 15 }), fc.boolean(), (pieces, isTight) => {
        const text = pieces.join(isTight ? '' : ' ');
        const { replaces } = complete(text, { configuration, module: 'net' });
        assert.ok(replaces >= 0 && replaces <= text.length);
      }),
      { numRuns: 3000 },
    );
  });
});
