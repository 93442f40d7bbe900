// `wideplane up` with a configuration, as benchmarks of healthd need it.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type Command, onCore, pause, Running } from './command.ts';
import { DEVICE_CORE, STATE, WIDEPLANE } from './device.ts';

const READY_MS = 120_000;

export type Up = { readonly running: Running; readonly directory: string; readonly state: string };

/** Resolves when the daemons are ready. `wrap`: makes the command run where it shall. */
export async function startUp(
  name: string,
  configuration: string,
  daemons: readonly string[],
  wrap: (command: Command) => Command = (command) => command,
): Promise<Up> {
  const directory = `${STATE}/${name}`;
  const state = `${directory}/state`;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(state, { recursive: true });
  writeFileSync(`${directory}/wideplane.conf`, configuration);
  const up = [process.execPath, WIDEPLANE, 'up', '--config', `${directory}/wideplane.conf`, '--state', state];
  const running = await Running.start(wrap(onCore(DEVICE_CORE, up)));
  const deadline = performance.now() + READY_MS;
  while (!daemons.every((daemon) => running.output.includes(`${daemon} ready`))) {
    if (performance.now() > deadline || !running.isAlive) {
      await running.stop();
      throw new Error(`wideplane is not ready:\n${running.output}`);
    }
    await pause(50);
  }
  return { running, directory, state };
}
