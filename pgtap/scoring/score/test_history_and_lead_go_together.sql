begin;
select plan(13);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.score_lead(lead('ada@example.com'));
select act_as('dba');
update app.lead set lead_score = 7 where id = lead('ada@example.com');
select is((select count(*) from scoring.score as s where s.kind = 'set' and s.lead_score = 7), 1::bigint, 'a change in SQL is kept');
insert into scoring.score (organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions)
values (organization('alice'), lead('ada@example.com'), 'scored', 9, 'by hand', 'own', 1, 0.09, '[]');
select is((select l.lead_score from app.lead as l), 9, 'a score in SQL changes the lead');
select is(
  (select e.action from audit.event as e order by e.id desc limit 1), 'lead.scored', 'and is recorded'
);
select throws_ok('update scoring.score set lead_score = 8', 'PT409', 'refused', 'nobody rewrites one');
select throws_ok(
  format(
    'insert into scoring.score (organization_id, lead_id, kind, lead_score) values (%L, %L, ''set'', 5)',
    organization('alice'), lead('ada@example.com')
  ),
  'PT409', 'refused', 'nor adds one that was never set'
);
select throws_ok('update app.lead set score_id = null, lead_score = 8', 'PT409', 'refused', 'nor changes the lead past it');
select throws_ok(
  'update app.lead set score_id = gen_random_uuid()', 'PT409', 'refused', 'nor names a score that is not there'
);
select throws_ok(
  format('insert into app.lead (organization_id, email, score_id) values (%L, ''x@example.com'', app.new_id())', organization('alice')),
  'PT409', 'refused', 'nor brings one along'
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
  'PT409', 'refused', 'nor scores in the future'
);

-- A trigger of a DBA's own, in which these would be at a depth.
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
  'inside a trigger neither'
);
select throws_ok(
  format(
    'insert into test.any values (%L)',
    format(
      'insert into scoring.score (organization_id, lead_id, kind, lead_score) values (%L, %L, ''set'', 5)',
      organization('alice'), lead('ada@example.com')
    )
  ),
  'PT409', 'refused', 'nor that'
);
delete from scoring.score where lead_score = 7;
select is(
  (select e.action || ' ' || e.lead_id from audit.event as e order by e.id desc limit 1),
  'score.deleted ' || lead('ada@example.com'), 'who deletes one leaves a trace with the lead'
);
select throws_ok('truncate scoring.score', 'PT409', 'refused', 'nobody empties it');

select * from finish();
rollback;
