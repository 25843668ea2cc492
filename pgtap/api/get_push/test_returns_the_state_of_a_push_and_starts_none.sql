begin;
select plan(12);

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada"}');
select is((api.get_push(lead('ada@example.com'))).status, null, 'no push was requested');
select (api.push_lead(lead('ada@example.com'))).status::text;
select is((api.get_push(lead('ada@example.com'))).status, 202, 'a waiting push');
select act_as('bob');
select is((api.get_push(lead('ada@example.com'))).status, null, 'another organization');
select act_as('alice', 'read');
select is((api.get_push(lead('ada@example.com'))).status, null, 'a key that only reads');

select act_as('dba');
create function test.fail(code text, words text)
returns void
language plpgsql
volatile
security definer
as $$
begin
  update crm.sync set status = 'failed', error_code = fail.code, error = fail.words, run_at = null;
end
$$;
select fail('rejected', 'Phone is missing.');
select act_as('alice');
select throws_ok($$select api.get_push(lead('ada@example.com'))$$, 'PT502', 'crm_rejected', 'a push that the vendor refused');
select is(
  hint($$select api.get_push(lead('ada@example.com'))$$), 'HubSpot refused the lead: Phone is missing.', 'the hint has the vendor''s message'
);
select fail('rejected', null);
select is(
  hint($$select api.get_push(lead('ada@example.com'))$$), 'HubSpot refused the lead: it gave no reason.', 'the hint without a message'
);
select fail('gave_up', 'Bad gateway');
select throws_ok($$select api.get_push(lead('ada@example.com'))$$, 'PT502', 'crm_unavailable', 'a push that was given up');
select is(
  hint($$select api.get_push(lead('ada@example.com'))$$),
  'HubSpot could not be reached for a day: Bad gateway. Push the lead again.', 'the hint of a push that was given up'
);
select act_as('dba');
select is((select s.status from crm.sync as s), 'failed', 'get_push starts no push');
update crm.sync set status = 'pending', error_code = null, run_at = now();
select is_empty($$select * from crm.lease_syncs('{}', 64)$$, 'a worker simulates the push');
select act_as('alice');
select is((api.get_push(lead('ada@example.com'))).status, 200, 'the record exists');

select * from finish();
rollback;
