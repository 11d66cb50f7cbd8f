/**
 * A small service as its author would write it: notes through TypeORM and plain pg, operations that
 * do right and wrong, a controller for direct calls, and an exception filter for everything.
 */
import {
  Body,
  Catch,
  Controller,
  Injectable,
  Param,
  Post,
  UseGuards,
  type ArgumentsHost,
  type CanActivate,
  type DynamicModule,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { ClusterId } from '@concordat/protocol';
import { Column, DataSource, Entity, PrimaryColumn, type Repository } from 'typeorm';
import { z } from 'zod';
import {
  BranchContext,
  InjectBranchRepository,
  JoinTransaction,
  Operation,
  Participant,
  ParticipantModule,
  VoteNo,
  type ParticipantModuleOptions,
} from '../index.js';

export const CLUSTER = 'nestspec' as ClusterId;
export const NAME = 'notes';

@Entity('note')
class Note {
  @PrimaryColumn('text')
  id!: string;

  @Column('text')
  text!: string;
}

export const NoteInput = z.strictObject({ id: z.string().min(1), text: z.string().default('') });
export type NoteInput = z.infer<typeof NoteInput>;

@Injectable()
class OnlyFriends implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getData<NoteInput>().text !== 'enemy';
  }
}

/** What operations leave behind for the test to see. */
export const seen: string[] = [];
export const detached: Promise<unknown>[] = [];
/** Lets the detached write go on, once the test has seen the vote. */
export const afterVote = gate();

function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

@Participant(NAME)
export class NotesParticipant {
  constructor(
    @InjectBranchRepository(Note) private readonly notes: Repository<Note>,
    private readonly branch: BranchContext,
  ) {}

  @Operation('write', NoteInput)
  async write({ id, text }: NoteInput): Promise<{ id: string }> {
    await this.notes.insert({ id, text });
    return { id };
  }

  @Operation('write-both-ways', NoteInput)
  async writeBothWays({ id }: NoteInput): Promise<number> {
    await this.notes.insert({ id, text: 'orm' });
    const { rowCount } = await this.branch.client.query('UPDATE note SET text = $1 WHERE id = $2', [
      'raw',
      id,
    ]);
    return rowCount ?? 0;
  }

  @Operation('read', NoteInput)
  async read({ id }: NoteInput): Promise<Note | null> {
    return this.notes.findOneBy({ id });
  }

  @Operation('rewrite', NoteInput)
  async rewrite({ id, text }: NoteInput): Promise<string> {
    const lock = { mode: 'pessimistic_write' } as const;
    const note = await this.notes.findOneOrFail({ where: { id }, lock });
    const { text: before } = note;
    note.text = text;
    await this.notes.save(note);
    return before;
  }

  @Operation('swallow', NoteInput)
  async swallow({ id }: NoteInput): Promise<void> {
    await this.notes.insert({ id, text: 'first' });
    await this.notes.insert({ id, text: 'second' }).catch(() => undefined);
  }

  @Operation('savepoint', NoteInput)
  async savepoint({ id }: NoteInput): Promise<void> {
    await this.notes.insert({ id, text: 'kept' });
    const part = this.notes.manager.transaction(async (manager) => {
      await manager.insert(Note, { id: `${id}-part`, text: 'undone' });
      throw new Error('undo this part');
    });
    await part.catch(() => undefined);
  }

  @Operation('refuse', NoteInput)
  async refuse({ id }: NoteInput): Promise<never> {
    await this.notes.insert({ id, text: 'never seen' });
    this.branch.onAborted(() => void seen.push(`aborted ${id}`));
    throw new VoteNo('NOT_TODAY', { id });
  }

  @Operation('forget-to-await', NoteInput)
  async forgetToAwait({ id }: NoteInput): Promise<void> {
    await this.notes.insert({ id, text: 'awaited' });
    const { notes } = this;
    const repository = notes.manager.getRepository(Note);
    const late = afterVote.promise.then(async () => {
      await repository.insert({ id: `${id}-late`, text: 'detached' });
    });
    detached.push(late.catch((error: unknown) => error));
  }

  @Operation('hook', NoteInput)
  async hook({ id }: NoteInput): Promise<void> {
    await this.notes.insert({ id, text: 'hooked' });
    this.branch.onCommitted(() => void seen.push(`committed ${id}`));
    this.branch.onAborted(() => void seen.push(`aborted ${id}`));
  }

  @Operation('guarded', NoteInput)
  @UseGuards(OnlyFriends)
  async guarded({ id, text }: NoteInput): Promise<void> {
    await this.notes.insert({ id, text });
  }
}

@Controller('notes')
@JoinTransaction()
class NotesController {
  constructor(private readonly operations: NotesParticipant) {}

  @Post(':id')
  async write(@Param('id') id: string, @Body() { text }: { text: string }): Promise<unknown> {
    if (text === 'refused') throw new VoteNo('NOT_TODAY', { id });
    return this.operations.write({ id, text });
  }
}

/** The same over Nest's own NATS transport. */
@Controller()
@JoinTransaction()
export class NotesByMessage {
  constructor(private readonly operations: NotesParticipant) {}

  @MessagePattern('notes.write')
  write(@Payload() input: NoteInput): Promise<{ id: string }> {
    return this.operations.write(input);
  }
}

/** An application-wide filter as many services have one: it must not turn a refusal into a yes. */
@Catch()
export class AnswerEverything extends BaseExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): unknown {
    if (host.getType() !== 'http') return { id: 'all is well' };
    super.catch(error, host);
    return undefined;
  }
}

export function serviceModule(
  url: string,
  options: Partial<ParticipantModuleOptions>,
  more: { controllers?: Type[]; providers?: unknown[] } = {},
): DynamicModule {
  class ServiceModule {}
  return {
    module: ServiceModule,
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: () => ({
          type: 'postgres',
          url,
          entities: [Note],
          poolSize: 8,
          synchronize: false,
        }),
      }),
      ParticipantModule.forRootAsync({
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => ({
          name: NAME,
          natsUrl: 'set below',
          database: { dataSource },
          cluster: CLUSTER,
          graceMs: 100,
          resolvePeriodMs: 200,
          ...options,
        }),
      }),
    ],
    controllers: more.controllers ?? [NotesController],
    providers: [NotesParticipant, ...((more.providers as Type[] | undefined) ?? [])],
  };
}
