begin;
select plan(13);

-- The time of a transaction stays the same, so each step moves the lead's times back by a day.
create function test.move(stage text)
returns text language plpgsql
as $$
begin
  alter table app.lead disable trigger user;
  update app.lead as l set
    updated_at = l.updated_at - interval '1 day', won_at = l.won_at - interval '1 day',
    lost_at = l.lost_at - interval '1 day', first_contacted_at = l.first_contacted_at - interval '1 day';
  alter table app.lead enable trigger user;
  update app.lead set pipeline_stage = move.stage;
  return (
    select concat_ws(
      ' ', 'won ' || date_part('day', now() - l.won_at), 'lost ' || date_part('day', now() - l.lost_at),
      'contacted ' || date_part('day', now() - l.first_contacted_at)
    )
    from app.lead as l
  );
end
$$;

insert into app.pipeline_stage (organization_id, name, position) values (organization('alice'), 'called', 9);
insert into app.lead (organization_id, email) values (organization('alice'), 'ada@example.com');
select is(move('new'), '', 'a new lead has none of them');
select is(move('lost'), 'lost 0', 'a lead that is lost at once was not contacted');
select is(move('new'), '', 'a lead that comes back is not lost');
select is(move('called'), 'contacted 0', 'a stage of the organization''s own is a contact');
select is(move('new'), 'contacted 1', 'the first contact stays');
select is(move('won'), 'won 0 contacted 2', 'the lead is won');
select is(move('won'), 'won 1 contacted 3', 'the same stage changes nothing');
select is(move('lost'), 'lost 0 contacted 4', 'then it is lost, and not won any more');
update app.lead set name = 'Ada';
select is((select l.lost_at from app.lead as l), date_trunc('milliseconds', now()), 'a change of another field keeps the time');
select is(
  array(
    select r.role || ' ' || c.name
    from unnest('{leads_exec,leads_intake,leads_eraser,leads_bi,leads_audit}'::text[]) as r (role)
    cross join unnest('{won_at,lost_at,first_contacted_at}'::text[]) as c (name)
    where
      has_column_privilege(r.role, 'app.lead', c.name, 'update') or has_column_privilege(r.role, 'app.lead', c.name, 'insert')
  ),
  '{}'::text[],
  'no request can set them'
);

delete from app.lead;
insert into app.lead (organization_id, email, pipeline_stage, created_at)
select organization('alice'), s.stage || '@example.com', s.stage, '2026-03-01 10:00Z'
from (values ('won'), ('lost'), ('proposal')) as s (stage);
select results_eq(
  'select l.pipeline_stage, l.won_at, l.lost_at, l.first_contacted_at from app.lead as l order by 1',
  $$
    values
      ('lost', null, '2026-03-01 10:00Z'::timestamptz(3), null),
      ('proposal', null, null, '2026-03-01 10:00Z'::timestamptz(3)),
      ('won', '2026-03-01 10:00Z'::timestamptz(3), null, '2026-03-01 10:00Z')
  $$,
  'a lead that is created in a stage entered it at its creation'
);
insert into app.lead (organization_id, email, pipeline_stage, created_at, won_at, lost_at, first_contacted_at)
values (
  organization('alice'), 'loaded@example.com', 'won', '2026-03-01 10:00Z', '2026-03-09 10:00Z', '2026-03-08 10:00Z',
  '2026-03-02 10:00Z'
);
select results_eq(
  $$select l.won_at, l.lost_at, l.first_contacted_at from app.lead as l where l.email = 'loaded@example.com'$$,
  $$values ('2026-03-09 10:00Z'::timestamptz(3), null::timestamptz(3), '2026-03-02 10:00Z'::timestamptz(3))$$,
  'a lead that is loaded with them keeps those of its stage'
);
select is_empty(
  $$select from audit.event as e where e.payload -> 'diff' ->> 'won_at' is not null$$, 'the log does not repeat them'
);

select * from finish();
rollback;
