begin;
select plan(4);

select act_as('alice');
select made_lead(U&'{"email": "ada@example.com", "name": "Zo\00EB \+01F680 \\u0041 \\\\ \\"", "industry": "a"}');
select act_as('dba');
update app.lead set name = null, pipeline_stage = 'won';
delete from app.lead;

select is_empty(
  $$
    select e.id from audit.event as e
    where e.payload_digest is distinct from sha256(e.salt || convert_to(e.payload::text, 'UTF8'))
  $$,
  'sha256(salt || payload)'
);
select is_empty(
  'select e.id from audit.event as e where octet_length(e.salt) is distinct from 16', 'the salt has 16 bytes'
);
select is(
  (select count(distinct e.salt) from audit.event as e), (select count(*) from audit.event), 'each event has its own salt'
);
select cmp_ok(
  (select count(*) from audit.event as e where e.lead_id is not null), '=', 3::bigint, 'three events of the lead'
);

select * from finish();
rollback;
