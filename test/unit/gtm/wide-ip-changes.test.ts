// Answers while the state changes under them, in another thread.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { MemberBit, PoolWord } from '../../../src/gtm/state-layout.ts';
import type { FlipperData } from '../../support/state-flipper.ts';
import { describeGtm, NAME, poolOf, wideIpOf, WideIpRig } from '../../support/wide-ips.ts';

const MEMBERS = 200;
const ANSWERS = 4000;
const FLIPS = 1000;

describe('a state that changes', () => {
  it(
    'is seen as it was before a change or as it is behind it, whole in every answer',
    { timeout: 120_000 },
    async () => {
      // In one state the members with even numbers are up, in the other those with odd ones.
      const members = Array.from({ length: MEMBERS }, (_, index) => `192.0.2.${index}`);
      const settings = { preferred: 'global-availability', maxAnswersReturned: MEMBERS } as const;
      const rig = new WideIpRig(
        describeGtm([wideIpOf('a', NAME, ['/Common/p1'])], [poolOf('a', '/Common/p1', members, settings)]),
      );
      const { layout } = rig.memory;
      const stateOf = (rest: number): number[] => [
        ...members.flatMap((_, index) => [layout.membersAt + index, index % 2 === rest ? MemberBit.usable : 0]),
        // The pools' own number differs as well.
        ...[layout.poolsAt + PoolWord.usable, MEMBERS / 2 + rest],
      ];
      const control = new Int32Array(new SharedArrayBuffer(8));
      const data: FlipperData = { memory: rig.memory, states: [stateOf(0), stateOf(1)], control };
      const worker = new Worker(new URL('../../support/state-flipper.js', import.meta.url), { workerData: data });
      const exited = once(worker, 'exit');
      const expected = [0, 1].map((rest) =>
        [
          'NOERROR aa',
          ...members.filter((_, index) => index % 2 === rest).map((address) => `an ${NAME} 30 A ${address}`),
        ].join(),
      );
      const all = ['NOERROR aa', ...members.map((address) => `an ${NAME} 30 A ${address}`)].join();
      const seen = [0, 0];
      for (let count = 0; count < ANSWERS || Atomics.load(control, 1) < FLIPS; count++) {
        const lines = rig.ask(NAME, 'A', 65_535).join();
        if (lines === all && seen[0] === 0 && seen[1] === 0) continue;
        const state = expected.indexOf(lines);
        assert.ok(state >= 0, lines);
        seen[state]!++;
      }
      Atomics.store(control, 0, 1);
      await exited;
      assert.ok(seen[0]! > 100 && seen[1]! > 100, seen.join());
    },
  );
});
