/** Participants, as their instances announce them. */
import { Module } from '@nestjs/common';
import { ParticipantsController } from './participants.controller.js';

@Module({ controllers: [ParticipantsController] })
export class ParticipantsModule {}
