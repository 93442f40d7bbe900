// `cm`: the machine among those of its group. Devices are no objects that somebody creates: they follow from `gtm server`.

import { quote } from '../../config/scanner.ts';
import { gtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';
import type { GtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';
import { ConfigError } from '../../core/errors.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import type { CmDevice } from '../../ipc/sync-schema.ts';
import { expectEnd, readWord, unexpected } from '../arguments.ts';
import type { TmshBackend } from '../backend.ts';
import { fieldPages } from '../field-format.ts';
import { readOptions } from '../options.ts';
import { renderPages } from '../show.ts';
import type { Operand, OptionWord, Phrase } from '../verb.ts';

const FORMATS: readonly OptionWord[] = [
  { word: 'field-fmt', help: 'Names and values in braces, for programs.' },
  { word: 'raw', help: 'Numbers in full, as without it.' },
];

const DEVICE: Operand = { kind: 'word', help: 'the name of a device', isOptional: true };

export const showCmSyncStatus: Phrase = {
  words: ['cm', 'sync-status'],
  help: 'Whether this device has what its group has.',
  options: FORMATS,
  async *run({ scanner, backend }) {
    const isFields = readOptions(scanner, 'show cm sync-status', FORMATS).has('field-fmt');
    const page = async (): Promise<ShowReply> => {
      const { color, mode, status, summary, details } = (await backend.groupState()).sync;
      const stats = { Color: color, Mode: mode, Status: status, Summary: summary };
      return { rows: [{ name: '', stats, table: { columns: ['Details'], rows: details.map((line) => [line]) } }] };
    };
    yield* isFields ? fieldPages('cm sync-status', page, '') : renderPages('CM::Sync Status', page);
  },
};

export const showCmDevice: Phrase = {
  words: ['cm', 'device'],
  help: 'The devices of the group, this one first.',
  operand: DEVICE,
  options: FORMATS,
  async *run({ scanner, backend }) {
    const next = scanner.peek();
    const name = next === undefined || FORMATS.some(({ word }) => word === next.text) ? undefined : next.text;
    if (name !== undefined) scanner.next();
    const isFields = readOptions(scanner, 'show cm device', FORMATS).has('field-fmt');
    const page = async (): Promise<ShowReply> => ({ rows: (await devicesOf(backend, name)).map(rowOf) });
    yield* isFields ? fieldPages('cm device', page, '') : renderPages('CentMgmt::Device', page);
  },
};

export const listCmDevice: Phrase = {
  words: ['cm', 'device'],
  help: 'The devices of the group, as objects.',
  operand: DEVICE,
  async *run({ scanner, backend }) {
    const name = scanner.next()?.text;
    expectEnd(scanner);
    for (const device of await devicesOf(backend, name)) {
      const lines = [
        `configsync-ip ${device.configsyncIp}`,
        `failover-state ${device.failoverState}`,
        `hostname ${quote(device.hostname)}`,
        `self-device ${device.isSelf}`,
        ...(device.version === '' ? [] : [`version ${quote(device.version)}`]),
      ];
      yield `cm device ${quote(device.name)} {\n${lines.map((line) => `    ${line}`).join('\n')}\n}\n`;
    }
  },
};

async function devicesOf(backend: TmshBackend, name: string | undefined): Promise<readonly CmDevice[]> {
  const { devices } = await backend.groupState();
  if (name === undefined || name === 'all') return devices;
  const found = devices.filter((device) => device.name === name || device.name === `/Common/${name}`);
  if (found.length > 0) return found;
  throw new ConfigError('notFound', `The requested device (${name}) was not found.`, {
    hint: 'show cm device shows those that there are; they follow from gtm server.',
  });
}

function rowOf({ name, hostname, configsyncIp, version, failoverState, state, isSelf }: CmDevice): ShowRow {
  return {
    name,
    stats: {
      Hostname: hostname,
      'Configsync IP': configsyncIp,
      Version: version === '' ? 'unknown' : version,
      'Failover State': failoverState,
      'Self Device': String(isSelf),
      State: state,
    },
  };
}

const DIRECTIONS = ['to-group', 'from-group'] as const;

export const runCmConfigSync: Phrase = {
  words: ['cm', 'config-sync'],
  help: 'Make the configuration of this device that of its group (to-group), or take what the group has (from-group).',
  operand: { kind: 'word', help: 'to-group or from-group', words: DIRECTIONS },
  options: [
    { word: 'force-full-load-push', help: 'All of it, as without it.' },
    { word: 'recover-sync', help: 'Whatever others have, as without it.' },
  ],
  async *run({ scanner, backend }) {
    let direction: (typeof DIRECTIONS)[number] | undefined;
    let group = '';
    for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
      if (token.text === 'force-full-load-push' || token.text === 'recover-sync') continue;
      const found = DIRECTIONS.find((word) => word === token.text);
      if (found === undefined || direction !== undefined)
        throw unexpected(token, 'Expected to-group GROUP or from-group GROUP.');
      direction = found;
      group = readWord(scanner, 'the name of the group').text;
    }
    if (direction === undefined) {
      throw new ConfigError('configuration', 'run cm config-sync needs a direction and a group.', {
        hint: 'Write to-group GROUP or from-group GROUP.',
      });
    }
    const name = group.replace(/^\/Common\//, '');
    const general = backend.configuration.views.get(gtmGlobalSettingsGeneral.path) as GtmGlobalSettingsGeneral;
    const { synchronization, 'synchronization-group-name': own } = general.properties;
    if (!synchronization || name !== own) {
      throw new ConfigError('configuration', `Device group (${group}) not found.`, {
        value: group,
        hint: synchronization
          ? `This device is of group ${own}.`
          : 'This device is of none: modify gtm global-settings general synchronization yes',
      });
    }
    yield `${(await backend.configSync(direction, name)).text}\n`;
  },
};
