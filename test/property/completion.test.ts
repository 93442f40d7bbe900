// Whatever completion offers at a position, the parser takes there; and what the parser takes, completion lets pass.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { complete } from '../../src/tmsh/complete.ts';
import { VALUES, choices, complaint, network } from '../support/completion-network.ts';

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
