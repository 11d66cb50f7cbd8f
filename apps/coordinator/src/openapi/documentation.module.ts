/** What explains the API to people: the page that the type of each problem leads to. */
import { Module } from '@nestjs/common';
import { ProblemsController } from './problems.controller.js';

@Module({ controllers: [ProblemsController] })
export class DocumentationModule {}
