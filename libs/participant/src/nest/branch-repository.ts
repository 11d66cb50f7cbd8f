/**
 * Branch-aware TypeORM repositories: injected once, every call goes to the entity manager of the
 * branch that is current at that moment. Guards against the usual surprise that an injected
 * repository is not transactional: outside a branch these throw instead of committing by themselves,
 * and in a branch of another participant too.
 */
import { Inject, type Provider } from '@nestjs/common';
import type { DataSource, EntityTarget, ObjectLiteral, Repository } from 'typeorm';
import { currentBranch, type Branch } from '../branch/current-branch.js';
import { branchEntityManager } from '../typeorm/branch-entity-manager.js';
import { branchOf } from './branch-context.js';
import type { ParticipantModuleOptions } from './participant-module-options.js';
import { ParticipantRegistry, refusing } from './participant-registry.js';
import { PARTICIPANT_OPTIONS } from './tokens.js';

type Entity = EntityTarget<ObjectLiteral>;

/** What some class injects: the repository of an entity, of a participant or of the only one. */
interface Asked {
  readonly entity: Entity;
  readonly participant?: string;
  readonly token: symbol;
}

const KEY = Symbol.for('concordat.participant.repositories.v2');

function asked(): Asked[] {
  const holder = globalThis as { [KEY]?: Asked[] };
  return (holder[KEY] ??= []);
}

/** The injection token of an entity's branch repository. */
export function branchRepositoryToken(entity: Entity, participant?: string): symbol {
  const known = asked().find((one) => one.entity === entity && one.participant === participant);
  if (known) return known.token;
  const of = participant === undefined ? '' : ` of participant ${participant}`;
  const token = Symbol(`BranchRepository<${nameOf(entity)}>${of}`);
  asked().push({ entity, participant, token });
  return token;
}

/**
 * Injects a repository of `entity` that always works in the current branch. Name the participant
 * where the application has several.
 */
export function InjectBranchRepository(entity: Entity, participant?: string): ParameterDecorator {
  return Inject(branchRepositoryToken(entity, participant));
}

/** The entity whose branch repository a token resolves to, and whether it names a participant. */
export function askedBy(token: unknown): { entity: string; isNamed: boolean } | undefined {
  const known = asked().find((one) => one.token === token);
  return known && { entity: nameOf(known.entity), isNamed: known.participant !== undefined };
}

/** Why a participant has no branch repository of an entity; undefined if it has. */
export function whyNoRepository(
  entity: string,
  { name, database }: ParticipantModuleOptions,
): string | undefined {
  if ('dataSource' in database) return undefined;
  return `participant ${name} has no TypeORM data source, so it has no branch repository of ${entity}: configure database: { dataSource }, or use branch.client`;
}

/**
 * The providers of a participant's module, one per entity that was asked for so far: read when Nest
 * scans, after all classes are loaded.
 */
export function branchRepositoryProviders(module: string | undefined): Provider[] {
  return asked()
    .filter(({ participant }) => participant === undefined || participant === module)
    .map(({ entity, participant, token }) => ({
      provide: token,
      inject: [PARTICIPANT_OPTIONS, ParticipantRegistry],
      useFactory: (options: ParticipantModuleOptions, registry: ParticipantRegistry) => {
        const make = () => repositoryFor(entity, options, participant);
        if (participant !== undefined) return make();
        const how = (name: string) => `@InjectBranchRepository(${nameOf(entity)}, '${name}')`;
        return registry.ifOnly(make, 'a branch repository', how);
      },
    }));
}

function repositoryFor(
  entity: Entity,
  options: ParticipantModuleOptions,
  participant: string | undefined,
): Repository<ObjectLiteral> {
  const { database } = options;
  // Read as classes are loaded, so perhaps no class of this application asks: see the checks.
  const why = whyNoRepository(nameOf(entity), options);
  if (why !== undefined || !('dataSource' in database)) return refusing(() => why ?? '');
  const current = participant === undefined ? currentBranch : () => branchOf(participant);
  return repositoryIn(entity, database.dataSource as DataSource, current);
}

/**
 * A repository whose every member is looked up in the current branch. Its use throws `NoBranch` where
 * there is none, and `BranchMisuse` in a branch of another database than the data source's.
 */
export function branchRepository<T extends ObjectLiteral>(
  entity: EntityTarget<T>,
  dataSource: DataSource,
): Repository<T> {
  return repositoryIn(entity, dataSource, currentBranch);
}

function repositoryIn<T extends ObjectLiteral>(
  entity: EntityTarget<T>,
  dataSource: DataSource,
  current: () => Branch,
): Repository<T> {
  const outside = dataSource.getRepository(entity);
  return new Proxy(outside, {
    get(_target, member) {
      // Nest and promises look at every provider (hooks, `then`, its constructor): not work.
      if (!(member in outside) || member in Object.prototype) return Reflect.get(outside, member);
      const manager = branchEntityManager(current(), dataSource);
      const repository = manager.getRepository(entity);
      const value: unknown = Reflect.get(repository, member, repository);
      return typeof value === 'function'
        ? (value as (...args: unknown[]) => unknown).bind(repository)
        : value;
    },
  });
}

function nameOf(entity: Entity): string {
  if (typeof entity === 'function') return entity.name;
  const { name } = entity as { name?: unknown };
  return typeof name === 'string' ? name : typeof entity === 'string' ? entity : 'entity';
}
