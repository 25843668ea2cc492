begin;
select plan(7);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select act_as('dba');
select throws_ok(
  format(
    'insert into scoring.signal (organization_id, lead_id, type, value, observed_at, dedupe_key) values (%L, %L, %s)',
    organization('alice'), lead('ada@example.com'), c.rest
  ),
  '23514', null, c.rest
)
from (values
  ($$'A', 'true', now(), null$$),
  ($$'a', '[]', now(), null$$),
  ($$'a', '{"b": {}}', now(), null$$),
  ($$'a', 'true', 'infinity', null$$),
  ($$'a', 'true', now(), ' k'$$)
) as c (rest);
insert into scoring.signal (organization_id, lead_id, type) values (organization('alice'), lead('ada@example.com'), 'a');
select throws_ok('truncate scoring.signal', 'PT409', 'refused', 'the table can''t be truncated');
delete from app.lead;
select is((select count(*) from scoring.signal), 0::bigint, 'signals are deleted with their lead');

select * from finish();
rollback;
