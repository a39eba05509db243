// Label policies of the fictional nations, for tests, fuzz targets and the bench. Their markings begin with
// EXERCISE. XAA marks like "EXERCISE SECRET//ALPHA//REL TO XAA, XBB", XBB in sentences, in two languages.
#pragma once

#include "label/dominance.h"
#include "label/label_policy.h"

#include <stdexcept>
#include <string_view>

namespace entente::label {

inline constexpr std::string_view kXaaSpif = R"x(<?xml version="1.0" encoding="UTF-8"?>
<spif:SPIF xmlns:spif="http://www.xmlspif.org/spif" schemaVersion="2.1" version="3"
    creationDate="20261101000000Z" originatorDN="CN=Labels,O=Aldoria" keyIdentifier="01"
    privilegeId="2.999.1.8" rbacId="2.999.1.8">
  <spif:securityPolicyId name="XAA" id="2.999.1.1">
    <spif:markingData phrase="EXERCISE"><spif:code>replacePolicy</spif:code></spif:markingData>
  </spif:securityPolicyId>
  <spif:securityClassifications>
    <spif:securityClassification name="UNCLASSIFIED" lacv="1" hierarchy="1">
      <spif:equivalentClassification policyRef="XBB" lacv="10" applied="encrypt"/>
      <spif:markingData phrase="U"><spif:code>portionMarking</spif:code></spif:markingData>
    </spif:securityClassification>
    <spif:securityClassification name="RESTRICTED" lacv="2" hierarchy="2">
      <spif:equivalentClassification policyRef="XBB" lacv="11" applied="encrypt"/>
      <spif:markingData phrase="R"><spif:code>portionMarking</spif:code></spif:markingData>
    </spif:securityClassification>
    <spif:securityClassification name="CONFIDENTIAL" lacv="3" hierarchy="3">
      <spif:equivalentClassification policyRef="XBB" lacv="12" applied="encrypt">
        <spif:requiredCategory operation="all">
          <spif:categoryGroup tagSetRef="Caveats" tagType="restrictive" lacv="2"/>
        </spif:requiredCategory>
      </spif:equivalentClassification>
      <spif:markingData phrase="C"><spif:code>portionMarking</spif:code></spif:markingData>
    </spif:securityClassification>
    <spif:securityClassification name="SECRET" lacv="4" hierarchy="4">
      <spif:equivalentClassification policyRef="XBB" lacv="13" applied="encrypt"/>
      <spif:markingData phrase="S"><spif:code>portionMarking</spif:code></spif:markingData>
    </spif:securityClassification>
    <spif:securityClassification name="TOP SECRET" lacv="5" hierarchy="5">
      <spif:markingData phrase="TS"><spif:code>portionMarking</spif:code></spif:markingData>
      <spif:requiredCategory operation="oneOrMore">
        <spif:categoryGroup tagSetRef="Caveats" tagType="restrictive" all="true"/>
        <spif:categoryGroup tagSetRef="Releasable To" tagType="permissive" all="true"/>
      </spif:requiredCategory>
    </spif:securityClassification>
  </spif:securityClassifications>
  <spif:securityCategoryTagSets>
    <spif:securityCategoryTagSet name="Programmes" id="2.999.1.1.1">
      <spif:securityCategoryTag name="Programmes" tagType="restrictive" maxSelection="3">
        <spif:tagCategory name="ALPHA" lacv="1">
          <spif:excludedClass>UNCLASSIFIED</spif:excludedClass>
          <spif:excludedClass>RESTRICTED</spif:excludedClass>
        </spif:tagCategory>
        <spif:tagCategory name="BRAVO" lacv="2">
          <spif:requiredCategory operation="all">
            <spif:categoryGroup tagSetRef="Caveats" tagType="restrictive" lacv="1"/>
          </spif:requiredCategory>
        </spif:tagCategory>
        <spif:tagCategory name="BRAVO-TWO" lacv="3" requiredClass="SECRET"/>
        <spif:tagCategory name="CHARLIE" lacv="4"/>
        <spif:tagCategory name="OLDTIME" lacv="5" obsolete="true"/>
      </spif:securityCategoryTag>
    </spif:securityCategoryTagSet>
    <spif:securityCategoryTagSet name="Foreign Information" id="2.999.1.1.2">
      <spif:securityCategoryTag name="Foreign Information" tagType="tagType7" tag7Encoding="bitSetAttributes">
        <spif:tagCategory name="XBB" lacv="2"><spif:excludedClass>UNCLASSIFIED</spif:excludedClass></spif:tagCategory>
        <spif:tagCategory name="XCC" lacv="3"><spif:excludedClass>UNCLASSIFIED</spif:excludedClass></spif:tagCategory>
        <spif:tagCategory name="XDD" lacv="4"><spif:excludedClass>UNCLASSIFIED</spif:excludedClass></spif:tagCategory>
        <spif:markingQualifier markingCode="pageTopBottom">
          <spif:qualifier markingQualifier="FGI " qualifierCode="prefix"/>
          <spif:qualifier markingQualifier=" " qualifierCode="separator"/>
        </spif:markingQualifier>
      </spif:securityCategoryTag>
    </spif:securityCategoryTagSet>
    <spif:securityCategoryTagSet name="Caveats" id="2.999.1.1.3">
      <spif:securityCategoryTag name="Caveats" tagType="restrictive">
        <spif:tagCategory name="ORCON" lacv="1">
          <spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.1" tagType="restrictive" lacv="1" applied="encrypt"/>
          <spif:markingData phrase="OC"><spif:code>portionMarking</spif:code></spif:markingData>
          <spif:excludedClass>UNCLASSIFIED</spif:excludedClass>
        </spif:tagCategory>
        <spif:tagCategory name="PROPIN" lacv="2">
          <spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.1" tagType="restrictive" lacv="2" applied="encrypt"/>
          <spif:markingData phrase="PR"><spif:code>portionMarking</spif:code></spif:markingData>
        </spif:tagCategory>
        <spif:tagCategory name="NATIONAL" lacv="3">
          <spif:markingData phrase="XAA ONLY"><spif:code>pageTopBottom</spif:code></spif:markingData>
          <spif:markingData phrase="NF"><spif:code>portionMarking</spif:code></spif:markingData>
          <spif:excludedClass>UNCLASSIFIED</spif:excludedClass>
          <spif:excludedCategory tagSetRef="Releasable To" tagType="permissive" all="true"/>
        </spif:tagCategory>
      </spif:securityCategoryTag>
    </spif:securityCategoryTagSet>
    <spif:securityCategoryTagSet name="Releasable To" id="2.999.1.1.4">
      <spif:securityCategoryTag name="Releasable To" tagType="enumerated" enumType="permissive">
        <spif:tagCategory name="XAA" lacv="1">
          <spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.2" tagType="enumerated" enumType="permissive" lacv="1" applied="encrypt"/>
          <spif:requiredCategory operation="oneOrMore">
            <spif:categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="2"/>
            <spif:categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="3"/>
            <spif:categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="4"/>
            <spif:categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="9"/>
          </spif:requiredCategory>
        </spif:tagCategory>
        <spif:tagCategory name="XBB" lacv="2">
          <spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.2" tagType="enumerated" enumType="permissive" lacv="2" applied="encrypt"/>
          <spif:requiredCategory operation="all"><spif:categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="1"/></spif:requiredCategory>
        </spif:tagCategory>
        <spif:tagCategory name="XCC" lacv="3">
          <spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.2" tagType="enumerated" enumType="permissive" lacv="3" applied="encrypt"/>
          <spif:requiredCategory operation="all"><spif:categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="1"/></spif:requiredCategory>
        </spif:tagCategory>
        <spif:tagCategory name="XDD" lacv="4">
          <spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.2" tagType="enumerated" enumType="permissive" lacv="" applied="encrypt" action="discard"/>
          <spif:requiredCategory operation="all"><spif:categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="1"/></spif:requiredCategory>
        </spif:tagCategory>
        <spif:tagCategory name="FLOTILLA" lacv="9" notAfter="2026-12-31T00:00:00Z">
          <spif:requiredCategory operation="all"><spif:categoryGroup tagSetRef="Releasable To" tagType="enumerated" enumType="permissive" lacv="1"/></spif:requiredCategory>
        </spif:tagCategory>
        <spif:markingQualifier markingCode="pageTopBottom">
          <spif:qualifier markingQualifier="REL TO " qualifierCode="prefix"/>
          <spif:qualifier markingQualifier=", " qualifierCode="separator"/>
        </spif:markingQualifier>
        <spif:markingQualifier markingCode="portionMarking">
          <spif:qualifier markingQualifier="REL " qualifierCode="prefix"/>
        </spif:markingQualifier>
      </spif:securityCategoryTag>
    </spif:securityCategoryTagSet>
    <spif:securityCategoryTagSet name="Handling" id="2.999.1.1.5">
      <spif:securityCategoryTag name="Handling" tagType="tagType7" tag7Encoding="bitSetAttributes" singleSelection="true">
        <spif:tagCategory name="STAFF" lacv="1">
          <spif:equivalentSecCategoryTag policyRef="XBB" tagSetId="2.999.2.1.1" tagType="tagType7" lacv="" applied="encrypt" action="discard"/>
        </spif:tagCategory>
        <spif:tagCategory name="MEDICAL" lacv="2"/>
      </spif:securityCategoryTag>
    </spif:securityCategoryTagSet>
    <spif:securityCategoryTagSet name="Convoy" id="2.999.1.1.6">
      <spif:securityCategoryTag name="Convoy" tagType="tagType7" tag7Encoding="securityAttributes" maxSelection="1">
        <spif:tagCategory name="number" lacv="0" userInput="string"/>
        <spif:markingQualifier><spif:qualifier markingQualifier="CONVOY " qualifierCode="prefix"/></spif:markingQualifier>
      </spif:securityCategoryTag>
    </spif:securityCategoryTagSet>
  </spif:securityCategoryTagSets>
  <spif:equivalentPolicies>
    <spif:equivalentPolicy name="XBB" id="2.999.2.1"/>
  </spif:equivalentPolicies>
  <spif:markingQualifier markingCode="pageTopBottom">
    <spif:qualifier markingQualifier="//" qualifierCode="separator"/>
  </spif:markingQualifier>
</spif:SPIF>
)x";

inline constexpr std::string_view kXbbSpif = R"x(<SPIF xmlns="http://www.xmlspif.org/spif" schemaVersion="2.1"
    version="1" creationDate="20261101000000Z" originatorDN="CN=Labels,O=Borealis" keyIdentifier="02"
    privilegeId="2.999.2.8" rbacId="2.999.2.8">
  <securityPolicyId name="XBB" id="2.999.2.1"/>
  <securityClassifications>
    <securityClassification name="OPEN-B" lacv="10" hierarchy="1">
      <equivalentClassification policyRef="XAA" lacv="1" applied="encrypt"/>
      <markingData xml:lang="xb" phrase="ÅPEN-B"><code>pageTopBottom</code></markingData>
    </securityClassification>
    <securityClassification name="LIMITED-B" lacv="11" hierarchy="2">
      <equivalentClassification policyRef="XAA" lacv="2" applied="encrypt"/>
      <markingData xml:lang="xb" phrase="BEGRENSA-B"><code>pageTopBottom</code></markingData>
    </securityClassification>
    <securityClassification name="CLOSED-B" lacv="12" hierarchy="3"/>
    <securityClassification name="SEALED-B" lacv="13" hierarchy="4">
      <equivalentClassification policyRef="XAA" lacv="4" applied="both"/>
      <markingData xml:lang="xb" phrase="LUKKA-B"><code>pageTopBottom</code></markingData>
    </securityClassification>
  </securityClassifications>
  <securityCategoryTagSets>
    <securityCategoryTagSet name="Caveats" id="2.999.2.1.1">
      <securityCategoryTag name="Caveats" tagType="restrictive">
        <tagCategory name="OWNER CONSENT" lacv="1">
          <equivalentSecCategoryTag policyRef="XAA" tagSetId="2.999.1.1.3" tagType="restrictive" lacv="1" applied="encrypt"/>
        </tagCategory>
        <tagCategory name="TRADE" lacv="2">
          <equivalentSecCategoryTag policyRef="XAA" tagSetId="2.999.1.1.3" tagType="restrictive" lacv="2" applied="encrypt"/>
        </tagCategory>
        <markingQualifier>
          <qualifier markingQualifier="with " qualifierCode="prefix"/>
          <qualifier xml:lang="xb" markingQualifier="med " qualifierCode="prefix"/>
          <qualifier markingQualifier=" and " qualifierCode="separator"/>
          <qualifier xml:lang="xb" markingQualifier=" og " qualifierCode="separator"/>
        </markingQualifier>
      </securityCategoryTag>
    </securityCategoryTagSet>
    <securityCategoryTagSet name="Releasable To" id="2.999.2.1.2">
      <securityCategoryTag name="Releasable To" tagType="enumerated" enumType="permissive">
        <tagCategory name="XAA" lacv="1">
          <equivalentSecCategoryTag policyRef="XAA" tagSetId="2.999.1.1.4" tagType="enumerated" enumType="permissive" lacv="1" applied="encrypt"/>
          <markingData phrase="Aldoria"><code>pageTopBottom</code></markingData>
        </tagCategory>
        <tagCategory name="XBB" lacv="2">
          <equivalentSecCategoryTag policyRef="XAA" tagSetId="2.999.1.1.4" tagType="enumerated" enumType="permissive" lacv="2" applied="encrypt"/>
          <markingData phrase="Borealis"><code>pageTopBottom</code></markingData>
        </tagCategory>
        <tagCategory name="XCC" lacv="3">
          <equivalentSecCategoryTag policyRef="XAA" tagSetId="2.999.1.1.4" tagType="enumerated" enumType="permissive" lacv="3" applied="encrypt"/>
          <markingData phrase="Cassia"><code>pageTopBottom</code></markingData>
        </tagCategory>
        <markingQualifier>
          <qualifier markingQualifier="- releasable to " qualifierCode="prefix"/>
          <qualifier xml:lang="xb" markingQualifier="- kan gjevast til " qualifierCode="prefix"/>
          <qualifier markingQualifier=", " qualifierCode="separator"/>
        </markingQualifier>
      </securityCategoryTag>
    </securityCategoryTagSet>
  </securityCategoryTagSets>
  <equivalentPolicies><equivalentPolicy name="XAA" id="2.999.1.1"/></equivalentPolicies>
  <markingQualifier><qualifier markingQualifier="EXERCISE " qualifierCode="prefix"/></markingQualifier>
</SPIF>
)x";

inline LabelPolicy policy_for_test(std::string_view spif) {
  auto read = LabelPolicy::from_spif(spif);
  if (!read) throw std::runtime_error(read.error().text());
  return *std::move(read);
}

inline Instant time_for_test(std::string_view text = "2026-11-22T02:00:00Z") {
  return parse_rfc3339(text).value();
}

inline Label label_for_test(std::string_view classification, std::vector<Category> categories = {},
                            std::string_view policy = "XAA") {
  Label out;
  out.policy = policy;
  out.classification = classification;
  out.categories = std::move(categories);
  return normalised(std::move(out)).value();
}

}  // namespace entente::label
