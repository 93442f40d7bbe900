// tmsh without a daemon: commands run on a configuration in memory.

import './secret-box.ts';
import { IpsecService, type IpsecStatistics } from '../../src/assembly/dataplaned/ipsec-service.ts';
import { emptyConfiguration } from '../../src/config/configuration.ts';
import type { Configuration } from '../../src/config/configuration.ts';
import { ConfigErrors } from '../../src/config/transaction.ts';
import { ConfigError, ConfigSyntaxError } from '../../src/core/errors.ts';
import type { AssociationFilter, AssociationPage, IpsecTotals } from '../../src/ipc/ipsec-schema.ts';
import type { ResultOf, ShowReply } from '../../src/ipc/schema.ts';
import type { ServiceAction, ServiceOutcome, SystemTopic, TmshBackend } from '../../src/tmsh/backend.ts';
import { placeInBatch } from '../../src/tmsh/batch.ts';
import { describeCommandError } from '../../src/tmsh/command-error.ts';
import { newSession, runCommand } from '../../src/tmsh/command.ts';
import { EditWatch } from '../../src/tmsh/edit-conflict.ts';
import type { Session } from '../../src/tmsh/verb.ts';
import { NO_ASSOCIATIONS } from './ipsec-statistics.ts';

export class TmshSession implements TmshBackend {
  configuration: Configuration = emptyConfiguration();
  readonly version = '1';
  readonly edits = new EditWatch();
  /** Files that load can read and save has written. */
  readonly files = new Map<string, string>();
  readonly saved: string[] = [];
  /** What lasts from one command to the next. */
  readonly session: Session = newSession();
  replies: ShowReply[] = [];
  /** What a data plane would say of IPsec. */
  ipsec: IpsecStatistics = NO_ASSOCIATIONS;
  readonly controlled: string[] = [];
  asked: { type: string; names: readonly string[] | undefined }[] = [];

  commit({ configuration }: { configuration: Configuration }): void {
    this.edits.note(this.configuration, configuration, () => ({ user: 'me', command: 'it', at: new Date(0) }));
    this.configuration = configuration;
  }

  noteSubmitted(): void {
    // Only configd has an audit log.
  }

  noteLoaded(): void {
    // Only configd keeps account of what its file holds.
  }

  save(file = 'own'): Promise<string> {
    this.saved.push(file);
    return Promise.resolve(file);
  }

  read(file = 'own'): Promise<{ path: string; text: string }> {
    const text = this.files.get(file);
    return text === undefined ? Promise.reject(new Error(`no ${file}`)) : Promise.resolve({ path: file, text });
  }

  history(): ShowReply {
    return { rows: [] };
  }

  readVersion(number: number): Promise<{ path: string; text: string } | undefined> {
    const text = this.files.get(`version ${number}`);
    return Promise.resolve(text === undefined ? undefined : { path: `version ${number}`, text });
  }

  show(type: string, names: readonly string[] | undefined, cursor?: string): Promise<ShowReply> {
    this.asked.push({ type, names });
    return Promise.resolve(this.replies[Number(cursor ?? 0)]!);
  }

  resetStats(type: string, names: readonly string[] | undefined): Promise<number> {
    this.asked.push({ type, names });
    return Promise.resolve(names?.length ?? 1);
  }

  associations(filter: AssociationFilter, cursor?: string): Promise<AssociationPage> {
    return Promise.resolve(new IpsecService(this.ipsec).list(filter, cursor));
  }

  deleteAssociations(filter: AssociationFilter): Promise<number> {
    return Promise.resolve(new IpsecService(this.ipsec).remove(filter));
  }

  groupState(): Promise<ResultOf<'group-state'>> {
    const details = ['Optional action: Add a device to the trust domain'];
    const sync = { color: 'green', mode: 'standalone', status: 'Standalone', summary: '', details } as const;
    const device = { configsyncIp: 'none', version: '1', hostname: 'a', failoverState: 'active', state: 'Standalone' };
    return Promise.resolve({
      sync: { ...sync, details: [...details] },
      devices: [{ name: 'a', isSelf: true, ...device }],
    });
  }

  configSync(direction: string, group: string): Promise<{ text: string }> {
    return Promise.resolve({ text: `${direction} ${group}` });
  }

  forgetClients(): Promise<number> {
    return Promise.resolve(0);
  }

  reloadZones(names: readonly string[] | undefined): Promise<{ zones: number; failures: [] }> {
    return Promise.resolve({ zones: names?.length ?? 1, failures: [] });
  }

  ipsecTotals(): Promise<readonly IpsecTotals[]> {
    return Promise.resolve(new IpsecService(this.ipsec).totals());
  }

  status(patienceMs = 0): Promise<ShowReply> {
    return Promise.resolve({ rows: [{ name: 'configd', stats: { Generation: 7, 'Waited ms': patienceMs } }] });
  }

  system(topic: SystemTopic): Promise<ShowReply> {
    const row = (name: string) => ({ name, stats: { Topic: topic } });
    return Promise.resolve({ rows: topic === 'service' ? ['configd', 'dataplaned'].map(row) : [row('')] });
  }

  controlService(name: string, action: ServiceAction): Promise<ServiceOutcome> {
    this.controlled.push(`${action} ${name}`);
    if (name === 'configd') return Promise.resolve({ before: 7, isLater: true });
    return Promise.resolve(action === 'stop' ? { before: 8 } : { before: 8, after: action === 'start' ? 8 : 9 });
  }

  /** The output of commands, one a call; rejects with what the last one threw. */
  async run(...commands: string[]): Promise<string> {
    let output = '';
    for (const command of commands) {
      for await (const text of runCommand(command, this, this.session)) output += text;
    }
    return output;
  }

  /** What a person would see of a command that is refused; undefined when it is accepted. */
  async refusal(command: string): Promise<string | undefined> {
    const place = this.session.batch && placeInBatch(this.session.batch);
    try {
      await this.run(command);
      return undefined;
    } catch (error) {
      if (error instanceof ConfigErrors || error instanceof ConfigError || error instanceof ConfigSyntaxError) {
        return describeCommandError(error, command, place);
      }
      throw error;
    }
  }
}

/** Two interfaces, a VLAN on the first, and an address on it. */
export async function basicSession(): Promise<TmshSession> {
  const session = new TmshSession();
  await session.run(
    'create net interface 1.1 { device eth1 }',
    'create net interface 2.1 { device eth2 }',
    'create net vlan wan { interfaces add { 1.1 } mtu 1550 }',
    'create net self 10.1.1.1/24 { address 10.1.1.1/24 vlan wan }',
  );
  return session;
}
