.PHONY: golden
golden: $(BUILD)/tests/unit/unit ## writes the answers of tests/golden anew; read that diff
	@tests/golden/make_cases.py
	@GOLDEN=1 $(BUILD)/tests/unit/unit golden
