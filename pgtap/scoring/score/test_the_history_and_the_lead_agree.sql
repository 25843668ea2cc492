begin;
select plan(13);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.score_lead(lead('ada@example.com'));
select act_as('dba');
update app.lead set lead_score = 7 where id = lead('ada@example.com');
select is((select count(*) from scoring.score as s where s.kind = 'set' and s.lead_score = 7), 1::bigint, 'a change in SQL is added to the history');
insert into scoring.score (organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions)
values (organization('alice'), lead('ada@example.com'), 'scored', 9, 'by hand', 'own', 1, 0.09, '[]');
select is((select l.lead_score from app.lead as l), 9, 'a score that is inserted in SQL changes the lead');
select is(
  (select e.action from audit.event as e order by e.id desc limit 1), 'lead.scored', 'and is recorded in the audit log'
);
select throws_ok('update scoring.score set lead_score = 8', 'PT409', 'refused', 'a score can''t be changed');
select throws_ok(
  format(
    'insert into scoring.score (organization_id, lead_id, kind, lead_score) values (%L, %L, ''set'', 5)',
    organization('alice'), lead('ada@example.com')
  ),
  'PT409', 'refused', 'a score that the lead doesn''t have can''t be added'
);
select throws_ok('update app.lead set score_id = null, lead_score = 8', 'PT409', 'refused', 'score_id and lead_score of the lead can''t change without a score');
select throws_ok(
  'update app.lead set score_id = gen_random_uuid()', 'PT409', 'refused', 'score_id can''t name an unknown score'
);
select throws_ok(
  format('insert into app.lead (organization_id, email, score_id) values (%L, ''x@example.com'', app.new_id())', organization('alice')),
  'PT409', 'refused', 'a new lead can''t have a score_id'
);
select throws_ok(
  format(
    $$
      insert into scoring.score
        (organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at)
      values (%L, %L, 'scored', 9, 'later', 'own', 1, 0.09, '[]', clock_timestamp() + interval '1 day')
    $$,
    organization('alice'), lead('ada@example.com')
  ),
  'PT409', 'refused', 'created_at can''t be in the future'
);

-- The same statements inside a trigger of a DBA, where pg_trigger_depth() is greater.
create table test.any (statement text);
create function test.tg_any()
returns trigger
language plpgsql
as $$
begin
  execute new.statement;
  return new;
end
$$;
create trigger _100_any before insert on test.any for each row execute function test.tg_any();
select throws_ok(
  $$insert into test.any values ('update app.lead set score_id = null, lead_score = 8')$$, 'PT409', 'refused',
  'the lead can''t change without a score inside a trigger'
);
select throws_ok(
  format(
    'insert into test.any values (%L)',
    format(
      'insert into scoring.score (organization_id, lead_id, kind, lead_score) values (%L, %L, ''set'', 5)',
      organization('alice'), lead('ada@example.com')
    )
  ),
  'PT409', 'refused', 'a score that the lead doesn''t have can''t be added inside a trigger'
);
delete from scoring.score where lead_score = 7;
select is(
  (select e.action || ' ' || e.lead_id from audit.event as e order by e.id desc limit 1),
  'score.deleted ' || lead('ada@example.com'), 'a deletion is recorded with the lead'
);
select throws_ok('truncate scoring.score', 'PT409', 'refused', 'the table can''t be truncated');

select * from finish();
rollback;
