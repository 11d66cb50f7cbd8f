/**
 * Branch-aware TypeORM repositories: injected once, every call goes to the entity manager of the
 * branch that is current at that moment. Guards against the usual surprise that an injected
 * repository is not transactional: outside a branch these throw instead of committing by themselves.
 */
import { Inject, type Provider } from '@nestjs/common';
import type { DataSource, EntityTarget, ObjectLiteral, Repository } from 'typeorm';
import { currentBranch } from '../branch/current-branch.js';
import { ParticipantMisconfigured } from '../participant/operation-table.js';
import { branchEntityManager } from '../typeorm/branch-entity-manager.js';
import type { ParticipantModuleOptions } from './participant-module-options.js';
import { PARTICIPANT_OPTIONS } from './tokens.js';

type Entity = EntityTarget<ObjectLiteral>;

const KEY = Symbol.for('concordat.participant.repositories.v1');

/** Entities that some class asks a branch repository of, with their tokens. */
function asked(): Map<Entity, symbol> {
  const holder = globalThis as { [KEY]?: Map<Entity, symbol> };
  return (holder[KEY] ??= new Map());
}

/** The injection token of an entity's branch repository. */
export function branchRepositoryToken(entity: Entity): symbol {
  let token = asked().get(entity);
  if (!token) {
    const name = typeof entity === 'function' ? entity.name : 'entity';
    asked().set(entity, (token = Symbol(`BranchRepository<${name}>`)));
  }
  return token;
}

/** Injects a repository of `entity` that always works in the current branch. */
export function InjectBranchRepository(entity: Entity): ParameterDecorator {
  return Inject(branchRepositoryToken(entity));
}

/** One provider per entity asked for so far: read when Nest scans, after all classes are loaded. */
export function branchRepositoryProviders(): Provider[] {
  return [...asked()].map(([entity, provide]) => ({
    provide,
    inject: [PARTICIPANT_OPTIONS],
    useFactory: ({ database }: ParticipantModuleOptions) => {
      if ('dataSource' in database) return branchRepository(entity, database.dataSource);
      throw new ParticipantMisconfigured(
        'a class injects a branch repository, but the participant has no TypeORM data source: configure database: { dataSource }',
      );
    },
  }));
}

/**
 * A repository whose every member is looked up in the current branch. Its use throws `NoBranch` where
 * there is none, and `BranchMisuse` in a branch of another database than the data source's.
 */
export function branchRepository<T extends ObjectLiteral>(
  entity: EntityTarget<T>,
  dataSource: DataSource,
): Repository<T> {
  const outside = dataSource.getRepository(entity);
  return new Proxy(outside, {
    get(_target, member) {
      // Nest and promises look at every provider (hooks, `then`, its constructor): not work.
      if (!(member in outside) || member in Object.prototype) return Reflect.get(outside, member);
      const manager = branchEntityManager(currentBranch(), dataSource);
      const repository = manager.getRepository(entity);
      const value: unknown = Reflect.get(repository, member, repository);
      return typeof value === 'function'
        ? (value as (...args: unknown[]) => unknown).bind(repository)
        : value;
    },
  });
}
