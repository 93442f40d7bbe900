// Random sequences of faults and changes: whatever happened, after a minute of quiet everybody knows what everybody else says.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MeshNetwork } from '../support/mesh-network.ts';
import { assertHeard, Speaker, virtualServer } from '../support/mesh-view.ts';

const SEEDS = 60;
const STEPS = 120;
/** Silence is noticed after 15 s, and the longest wait is 37.5 s. */
const HEARTBEAT_MS = 5000;
const QUIET_MS = 60_000;
const NAMES = 12;

class Scene {
  readonly network: MeshNetwork;
  readonly speakers: readonly Speaker[];
  readonly #random: () => number;
  readonly done = new Map<string, number>();

  constructor(seed: number) {
    this.network = new MeshNetwork(seed);
    this.#random = this.network.random;
    this.speakers = [
      new Speaker(this.network, 'a', ['192.0.2.1']),
      new Speaker(this.network, 'b', ['192.0.2.2', '192.0.2.12']),
      new Speaker(this.network, 'c', ['192.0.2.3']),
      new Speaker(this.network, 'd', ['192.0.2.4', '192.0.2.14', '192.0.2.24']),
      new Speaker(this.network, 'e', ['192.0.2.5']),
    ];
    for (const speaker of this.speakers) {
      speaker.settings = { ...speaker.settings, heartbeatMs: HEARTBEAT_MS };
      speaker.dials(this.speakers);
    }
  }

  #below(limit: number): number {
    return Math.floor(limit * this.#random());
  }

  #oneOf<T>(all: readonly T[]): T {
    return all[this.#below(all.length)]!;
  }

  #anybody(): Speaker {
    return this.#oneOf(this.speakers);
  }

  #record = () => virtualServer(`/Common/${this.#below(NAMES)}`, `reason ${this.#below(5)}`, 80 + this.#below(2));

  /** What may happen. */
  readonly #acts: Readonly<Record<string, () => void>> = {
    say: () => this.#anybody().say(this.#record()),
    'say much': () => {
      const speaker = this.#anybody();
      for (let count = 0; count < 3000; count++) {
        speaker.say(virtualServer(`/Common/of-many-${this.#below(2000)}`, `reason ${count}`));
      }
    },
    unsay: () => {
      const speaker = this.#anybody();
      for (let count = 0; count < 4; count++) speaker.unsay('vs', `/Common/${this.#below(NAMES)}`);
    },
    'say all': () => {
      const names = Array.from({ length: NAMES }, (_, index) => index).filter(() => this.#random() < 0.5);
      this.#anybody().sayAll(
        'vs',
        names.map((name) => virtualServer(`/Common/${name}`, `reason ${this.#below(5)}`)),
      );
    },
    'say of the group': () => {
      const speaker = this.#anybody();
      const version = this.#below(1000);
      const said = { digest: `${version}`, time: version, changed_by: speaker.name, history: [`${version - 1}`] };
      speaker.say({ message: 'config', sync_group: speaker.settings.syncGroup, version, ...said });
      speaker.say({ message: 'zone_file', name: `z${this.#below(3)}`, digest: `${version}`, serial: 1, time: 1 });
    },
    'change the group': () => {
      const isGtm = this.#random() < 0.8;
      const speaker = this.#anybody();
      if (speaker.isAlive) speaker.set({ syncGroup: this.#oneOf(['default', 'other']), isGtm });
    },
    'cut a pair': () => this.network.cut(this.#anybody(), this.#anybody()),
    partition: () => {
      const far = this.speakers.filter(() => this.#random() < 0.5);
      for (const one of far) for (const other of this.speakers) if (!far.includes(other)) this.network.cut(one, other);
    },
    heal: () => this.network.healAll(),
    reset: () => {
      for (const one of this.network.connectionsOf(this.#anybody())) if (this.#random() < 0.5) one.reset();
    },
    'half open': () => {
      for (const one of this.network.connectionsOf(this.#anybody())) if (this.#random() < 0.5) one.isLost = true;
    },
    vanish: () => this.#anybody().vanish(),
    stop: () => {
      const speaker = this.#anybody();
      if (!speaker.isAlive) return;
      speaker.mesh.stop();
      speaker.vanish();
    },
    start: () => this.#anybody().start(),
    'set a clock': () => {
      this.#anybody().clock.offset = this.#oneOf([0, 3_600_000, -3_600_000, 7000]);
    },
    'stand still': () => this.network.clock.jump(this.#below(20_000)),
    'read slowly': () => {
      const speaker = this.#anybody();
      speaker.readsAtOnce = this.#oneOf([0, 1, 20]);
      speaker.readsEveryMs = this.#oneOf([20, 200]);
    },
    'read quickly': () => this.#readQuickly(this.#anybody()),
    'refuse or not': () => {
      this.#anybody().refuses = this.#random() < 0.5;
    },
    'change the delay': () => {
      this.network.mostDelayMs = this.#oneOf([2, 20, 300, 1500]);
    },
    'change who is dialled': () => {
      const speaker = this.#anybody();
      if (speaker.isAlive) speaker.dials(this.speakers.filter(() => this.#random() < 0.8));
    },
  };

  #readQuickly(speaker: Speaker): void {
    speaker.readsAtOnce = Infinity;
    speaker.readsEveryMs = 1;
  }

  step(): void {
    const name = this.#oneOf(Object.keys(this.#acts));
    this.done.set(name, (this.done.get(name) ?? 0) + 1);
    this.#acts[name]!();
    this.network.run(this.#random() < 0.5 ? this.#below(500) : this.#below(20_000));
  }

  /** Everything works again. */
  calm(): void {
    this.network.healAll();
    this.network.mostDelayMs = 20;
    for (const speaker of this.speakers) {
      this.#readQuickly(speaker);
      speaker.refuses = false;
      speaker.start();
      speaker.dials(this.speakers);
    }
    this.network.run(QUIET_MS);
  }
}

it(`after any faults, and ${QUIET_MS / 1000} s of quiet, every machine knows what every other says`, () => {
  const done = new Map<string, number>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const scene = new Scene(seed);
    for (let step = 0; step < STEPS; step++) scene.step();
    scene.calm();
    assertHeard(scene.speakers, `seed ${seed}`);
    for (const speaker of scene.speakers) {
      assert.equal(speaker.linesOf('iquery-feature-failed').length, 0, `seed ${seed}: ${speaker.name}`);
      const { peers } = speaker.mesh.snapshot();
      for (const { peer, condition } of peers) {
        assert.equal(condition.state, 'connected', `seed ${seed}: ${speaker.name} to ${peer.address}`);
      }
    }
    for (const [name, count] of scene.done) done.set(name, (done.get(name) ?? 0) + count);
  }
  console.log([...done].map(([name, count]) => `${name} ${count}`).join(', '));
});
