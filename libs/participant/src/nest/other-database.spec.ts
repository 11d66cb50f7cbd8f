/**
 * Work of a branch that would land elsewhere: in another database, or in another branch. On a real
 * Postgres and a real broker, in a process that takes part with two databases.
 */
import { Controller, Param, Post, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule, getDataSourceToken } from '@nestjs/typeorm';
import { embeddedStack } from '@concordat/testing';
import { DataSource, type Repository } from 'typeorm';
import { z } from 'zod';
import {
  InjectBranchRepository,
  JoinTransaction,
  Operation,
  Participant,
  ParticipantHost,
  ParticipantModule,
  branchRepository,
  guardDataSource,
  outsideBranch,
  type Branch,
} from '../index.js';
import {
  Besides,
  CLUSTER,
  EAST,
  Note,
  WEST,
  dataSourceFor,
} from './outside-branch.spec-support.js';

const NoteInput = z.strictObject({ id: z.string() });
const INSERT = 'INSERT INTO note (id) VALUES ($1)';

describe('The work of a branch', () => {
  let besides: Besides;
  let west: DataSource;
  let made = 0;

  const newId = (): string => `note-${(made += 1)}`;
  const misuse = (reason: RegExp) => ({
    kind: 'no',
    code: 'BRANCH_MISUSE',
    retryable: false,
    reason: expect.stringMatching(reason) as unknown,
  });

  beforeAll(async () => {
    besides = await Besides.open(await embeddedStack());
    west = await dataSourceFor(besides.stack.databases.ledger_west).initialize();
  }, 90_000);

  afterAll(async () => {
    await west.destroy();
    await besides.close();
  });

  describe('through a branch repository', () => {
    it('of another database is refused, and both databases are named', async () => {
      const id = newId();
      const elsewhere = branchRepository(Note, west);
      const votes = [
        await besides.vote(() => elsewhere.insert({ id })),
        await besides.vote(() => elsewhere.manager.insert(Note, { id })),
        await besides.vote(() => branchRepository(Note, besides.dataSource).insert({ id }), WEST),
      ];
      const east =
        /data source for database "ledger_east" at .* is a transaction of database "ledger_west" at/;
      expect(votes).toEqual([
        misuse(
          /^Operation work of east .* data source for database "ledger_west" at 127.0.0.1:\d+ as user "ledger_west", but its branch is a transaction of database "ledger_east" at 127.0.0.1:\d+ as user "ledger_east": .*let a participant of the other database/,
        ),
        misuse(/data source for database "ledger_west"/),
        misuse(east),
      ]);
      expect(await besides.placesOf(id)).toEqual([]);
    });

    it('of its own database is done, whatever pool the participant was given', async () => {
      const ids = [newId(), newId(), newId()] as const;
      const { ledger_east: url } = besides.stack.databases;
      const sameByName = dataSourceFor(url.replace('127.0.0.1', 'localhost'));
      await sameByName.initialize();
      try {
        await besides.finished(async () => {
          await branchRepository(Note, besides.dataSource).insert({ id: ids[0] });
          await branchRepository(Note, sameByName).insert({ id: ids[1] });
        }, 'commit');
        const byUrl = await besides.participant('by-url', { database: { url, connectionsMax: 3 } });
        const transaction = besides.coordinator.begin();
        await byUrl.join(transaction, () =>
          branchRepository(Note, besides.dataSource).insert({ id: ids[2] }),
        );
        await besides.coordinator.prepare('by-url', transaction);
        await besides.coordinator.finish('by-url', transaction, 'commit');
      } finally {
        await sameByName.destroy();
      }
      for (const id of ids) expect(await besides.placesOf(id)).toEqual([EAST]);
    });
  });

  describe('through what was kept from another branch', () => {
    it('is refused while that branch is open, and lands in neither', async () => {
      const first = besides.coordinator.begin();
      const notes = branchRepository(Note, besides.dataSource);
      const [own, strays] = [newId(), [newId(), newId(), newId(), newId()]];
      const kept = await besides.east.join(first, async ({ client }) => {
        await notes.insert({ id: own });
        const { insert, manager } = notes;
        return { client, insert, manager, builder: notes.createQueryBuilder() };
      });
      const ways: ((id: string) => unknown)[] = [
        (id) => kept.client.query(INSERT, [id]),
        (id) => kept.insert({ id }),
        (id) => kept.manager.transaction((manager) => manager.insert(Note, { id })),
        (id) => kept.builder.insert().values({ id }).execute(),
      ];
      for (const [i, way] of ways.entries()) {
        const vote = await besides.vote(() => way(strays[i] ?? ''));
        expect(vote).toEqual(
          misuse(/used the client, a repository or an entity manager of another/),
        );
      }
      expect((await besides.coordinator.prepare(EAST, first)).vote).toEqual({ kind: 'prepared' });
      await besides.coordinator.finish(EAST, first, 'commit');
      expect(await besides.placesOf(own)).toEqual([EAST]);
      for (const id of strays) expect(await besides.placesOf(id)).toEqual([]);
    });

    it('is refused after that branch has ended', async () => {
      let kept: Branch | undefined;
      await besides.finished(async (branch) => {
        await branch.client.query(INSERT, [newId()]);
        kept = branch;
      }, 'abort');
      const vote = await besides.vote(() => kept?.client.query(INSERT, [newId()]));
      expect(vote).toEqual(misuse(/has ended|of another branch/));
    });

    it('is done where one branch calls into another on purpose, or no branch is current', async () => {
      const [inner, outer] = [besides.coordinator.begin(), besides.coordinator.begin()];
      const ids = [newId(), newId()] as const;
      const vote = await besides.vote(
        async ({ client }) => {
          await besides.west.join(inner, () => client.query(INSERT, [ids[0]]));
          await outsideBranch(() => client.query(INSERT, [ids[1]]));
        },
        EAST,
        outer,
      );
      expect(vote).toEqual({ kind: 'prepared' });
      await besides.coordinator.finish(EAST, outer, 'commit');
      await besides.coordinator.finish(WEST, inner, 'abort');
      for (const id of ids) expect(await besides.placesOf(id)).toEqual([EAST]);
    });
  });

  describe('of a Nest service with two data sources', () => {
    const NAME = 'nest';

    @Participant(NAME)
    class Notes {
      constructor(
        @InjectBranchRepository(Note) private readonly notes: Repository<Note>,
        private readonly other: DataSource,
      ) {}

      @Operation('write', NoteInput)
      write({ id }: { id: string }) {
        return this.notes.insert({ id });
      }

      @Operation('write-beside', NoteInput)
      writeBeside({ id }: { id: string }) {
        return this.other.getRepository(Note).insert({ id });
      }
    }

    @Controller('notes')
    @JoinTransaction()
    class NotesController {
      constructor(@InjectRepository(Note, 'notes') private readonly ordinary: Repository<Note>) {}

      @Post(':id')
      write(@Param('id') id: string) {
        return this.ordinary.insert({ id });
      }
    }

    async function start(): Promise<INestApplication> {
      const { ledger_east: east, ledger_west: other } = besides.stack.databases;
      const options = { type: 'postgres' as const, entities: [Note], poolSize: 4 };
      class App {}
      const module = {
        module: App,
        imports: [
          TypeOrmModule.forRoot({ ...options, url: other }),
          TypeOrmModule.forRoot({ ...options, name: 'notes', url: east }),
          TypeOrmModule.forFeature([Note], 'notes'),
          ParticipantModule.forRootAsync({
            inject: [getDataSourceToken('notes')],
            useFactory: (dataSource: DataSource) => ({
              name: NAME,
              natsUrl: besides.stack.nats.url,
              cluster: CLUSTER,
              schema: NAME,
              database: { dataSource },
            }),
          }),
        ],
        controllers: [NotesController],
        providers: [Notes],
      };
      const app = await NestFactory.create(module, { logger: false, abortOnError: false });
      await app.listen(0, '127.0.0.1');
      await app.get(ParticipantHost).participant?.ready();
      return app;
    }

    it('lands in the participant’s own, and is refused beside it, called directly or not', async () => {
      const app = await start();
      try {
        const [id, beside] = [newId(), newId()];
        const transaction = besides.coordinator.begin();
        await besides.coordinator.prepare(NAME, transaction, [{ name: 'write', input: { id } }]);
        await besides.coordinator.finish(NAME, transaction, 'commit');
        expect(await besides.placesOf(id)).toEqual([EAST]);
        const joining = besides.coordinator.begin();
        const answer = await fetch(`${await app.getUrl()}/notes/${beside}`, {
          method: 'POST',
          headers: { 'Concordat-Context': `v1;tx=${joining}` },
        });
        expect([answer.status, await answer.json()]).toEqual([
          409,
          expect.objectContaining({
            code: 'BRANCH_MISUSE',
            retryable: false,
            detail: expect.stringMatching(/^A joined call of nest .*outsideBranch/) as unknown,
          }),
        ]);
        guardDataSource(app.get(DataSource));
        const call = [{ name: 'write-beside', input: { id: beside } }];
        const { vote } = await besides.coordinator.prepare(NAME, besides.coordinator.begin(), call);
        expect(vote).toEqual(misuse(/^Operation write-beside of nest .* database "ledger_west"/));
        expect(await besides.placesOf(beside)).toEqual([]);
      } finally {
        await app.close();
      }
    });
  });
});
