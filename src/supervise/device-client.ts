// How a daemon asks the supervisor for a device.

import { IpcClient } from '../ipc/ipc-client.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import type { DeviceWishes, Method, ParamsOf, ResultOf } from '../ipc/schema.ts';
import { stateLayout } from './state-directory.ts';

/**
 * Asks that a device be made fit to be opened, before every opening: a device that was deleted and made again is another
 * one. A daemon that runs without a supervisor opens it as it is.
 */
export async function prepareDevice(
  state: string,
  interfaceName: string,
  device: string,
  addressOwner: 'host' | 'wideplane',
  wishes: DeviceWishes = {},
): Promise<ResultOf<'prepare-device'>> {
  const answer = await askSupervisor(state, 'prepare-device', {
    interface: interfaceName,
    device,
    addressOwner,
    ...wishes,
  });
  return answer ?? { ok: true };
}

/** Tells which devices are still in use, after each change of them; the others are given back to the kernel. */
export async function retainDevices(state: string, devices: readonly string[]): Promise<void> {
  await askSupervisor(state, 'retain-devices', { devices: [...devices] });
}

/** Says which devices the host shall have to its self IPs; undefined when no supervisor runs, and then there are none. */
export async function setHostPaths(
  state: string,
  paths: ParamsOf<'set-host-paths'>['paths'],
): Promise<ResultOf<'set-host-paths'>['paths'] | undefined> {
  return (await askSupervisor(state, 'set-host-paths', { paths }))?.paths;
}

/**
 * Says which questions the daemon takes straight from devices, so that the kernel does not get them; undefined when no supervisor
 * runs, and then it gets them, too.
 */
export async function setQueryRules(
  state: string,
  daemon: string,
  rules: ParamsOf<'set-query-rules'>['rules'],
): Promise<ResultOf<'set-query-rules'>['rules'] | undefined> {
  return (await askSupervisor(state, 'set-query-rules', { daemon, rules }))?.rules;
}

/** Says by which next hops marked packets shall go; undefined when no supervisor runs, and then none do. */
export async function setNextHops(
  state: string,
  daemon: string,
  hops: readonly string[],
): Promise<ResultOf<'set-next-hops'>['hops'] | undefined> {
  return (await askSupervisor(state, 'set-next-hops', { daemon, hops: [...hops] }))?.hops;
}

/** The connected TCP sockets of the host; none when no supervisor runs. */
export async function readHostSockets(state: string): Promise<ResultOf<'host-sockets'>['sockets']> {
  return (await askSupervisor(state, 'host-sockets', {}))?.sockets ?? [];
}

/** One request on a connection of its own; undefined when no supervisor runs. Throws an IpcError. */
export async function askSupervisor<M extends Method>(
  state: string,
  method: M,
  params: ParamsOf<M>,
): Promise<ResultOf<M> | undefined> {
  let client: IpcClient;
  try {
    client = await IpcClient.connect(stateLayout(state).socket);
  } catch (error) {
    if (error instanceof IpcError && error.code === 'unreachable') return undefined;
    throw error;
  }
  try {
    return await client.request(method, params);
  } finally {
    client.close();
  }
}
