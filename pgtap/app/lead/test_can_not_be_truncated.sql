begin;
select plan(3);

select throws_ok('truncate app.lead, app.lead_word, intake.submission, scoring.signal, scoring.score, crm.sync, crm.attempt', 'PT409', 'refused');
select is(
  hint('truncate app.lead, app.lead_word, intake.submission, scoring.signal, scoring.score, crm.sync, crm.attempt'), 'TRUNCATE on app.lead is refused. Delete leads with DELETE, so that each is recorded.',
  'the hint says what to do instead'
);
select throws_ok('truncate app.pipeline_stage cascade', 'PT409', 'refused', 'nor with another table');

select * from finish();
rollback;
