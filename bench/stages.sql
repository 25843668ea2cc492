-- The organization of bench/stages.py: leads of three years, about three events each, and their seals. {organization} and {leads}
-- are replaced. Without triggers, because an event for each row would take minutes. Each step is one transaction.
set session_replication_role = replica;
alter table app.lead enable always trigger _500_stamp;
create function bench.id_of(at timestamptz) returns uuid language sql volatile
begin atomic
  select (
    lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7'
    || substr(replace(gen_random_uuid()::text, '-', ''), 14)
  )::uuid;
end;
insert into app.lead (
  id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, pain_points, timeline,
  created_at, updated_at, qualification_completed_at
)
select
  bench.id_of(l.created_at), '{organization}', 'Sarah Mitchell', case when n % 3 = 0 then 'Alder Property Care' end,
  'sarah.mitchell' || n || '@example.org', (array['google_ads', 'website', 'referral', 'phone', 'partner', 'events', null])[1 + n % 7],
  n % 101, (array['new', 'contacted', 'qualified', 'proposal', 'won'])[1 + l.moves], 'residential',
  'Recurring basement moisture after spring rain', 'this_week', l.created_at, l.created_at,
  case when l.moves > 1 then l.created_at + l.pace * 2 end
from (
  select
    n,
    date_trunc('milliseconds', now() - interval '1095 days' * (1 - n::float8 / ({leads} + 1))) as created_at,
    (array[0, 0, 0, 0, 1, 1, 1, 2, 2, 4])[1 + n % 10] as moves,
    (interval '1 hour' + random() * interval '9 days') * least(1, ({leads} - n) / ({leads} * 0.04)) as pace
  from generate_series(1, {leads}) as n
  offset 0
) as l;
alter table app.lead enable trigger _500_stamp;

-- step: events
create unlogged table bench.change as
select bench.id_of(c.at) as id, c.*
from (
  select
    l.id as lead_id,
    least(l.created_at + c.step * coalesce((l.qualification_completed_at - l.created_at) / 2, interval '3 days'), now()) as at,
    c.step,
    case
      when c.step = 0 then format(
        '"name":{"from" : null, "to" : %s},"email":{"from" : null, "to" : %s},"source":{"from" : null, "to" : %s},'
        '"pipeline_stage":{"from" : null, "to" : "new"},"lead_score":{"from" : null, "to" : %s},'
        '"industry":{"from" : null, "to" : "residential"}',
        to_json(l.name), to_json(l.email), coalesce(to_json(l.source)::text, 'null'), l.lead_score
      )
      when c.step < 0 then '"timeline":{"from" : "today", "to" : "this_week"}'
      else format(
        '"pipeline_stage":{"from" : "%s", "to" : "%s"}',
        (array['new', 'contacted', 'qualified', 'proposal'])[c.step],
        (array['contacted', 'qualified', 'proposal', 'won'])[c.step]
      )
    end as diff
  from app.lead as l
  cross join lateral generate_series(
    case when l.lead_score % 10 > 0 then -1 else 0 end,
    array_position(array['new', 'contacted', 'qualified', 'proposal', 'won'], l.pipeline_stage::text) - 1
  ) as c (step)
  where l.organization_id = '{organization}'
  offset 0
) as c;
update bench.change as c set at = l.created_at + interval '1 minute', id = bench.id_of(l.created_at + interval '1 minute')
from app.lead as l
where c.step < 0 and l.organization_id = '{organization}' and l.id = c.lead_id;
insert into audit.event (id, organization_id, action, source, lead_id, payload, salt, payload_digest, created_at)
select
  c.id, '{organization}', case when c.step = 0 then 'lead.created' else 'lead.updated' end, 'api', c.lead_id,
  p.payload::json, s.salt, sha256(s.salt || convert_to(p.payload, 'UTF8')), app.id_time(c.id)
from bench.change as c
cross join lateral (select uuid_send(gen_random_uuid()) as salt where c.id is not null offset 0) as s
cross join lateral (
  select format('{"lead_id":"%s","diff":{%s},"key_id":"{organization}"}', c.lead_id, c.diff) as payload
) as p
order by c.id;
drop table bench.change;

-- step: seals
-- The chain of admin.seal_events, in one statement.
create function bench.link(state bytea, head bytea, hash bytea) returns bytea language sql immutable
begin atomic
  select sha256(coalesce(state, head) || hash);
end;
create aggregate bench.chain(head bytea, hash bytea) (sfunc = bench.link, stype = bytea);
insert into audit.seal (organization_id, position, event_id, event_hash, hash, created_at, sealed_at)
select
  h.organization_id, h.position, h.id, h.event_hash, bench.chain(h.head, h.event_hash) over (order by h.position), h.created_at, now()
from (
  select
    e.organization_id, e.position, e.id, e.created_at,
    audit.event_hash(
      e.position, e.id, e.organization_id, e.action, e.source, e.correlation_id, e.lead_id, e.payload_digest, e.created_at
    ) as event_hash,
    e.head
  from (
    select e.*, last.position + row_number() over (order by e.id) as position, last.hash as head
    from audit.event as e
    cross join (
      select s.position, s.hash from audit.seal as s where s.organization_id = '{organization}' order by s.position desc limit 1
    ) as last
    where e.organization_id = '{organization}'
      and not exists (select from audit.seal as s where s.organization_id = '{organization}' and s.event_id = e.id)
  ) as e
  offset 0
) as h;
reset session_replication_role;
drop aggregate bench.chain(bytea, bytea);
drop function bench.link(bytea, bytea, bytea), bench.id_of(timestamptz);
